"""Asks a service whatever Schemathesis makes of its document, with keys in hand, and judges the answers."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from two_people import NEVER_EXISTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests
    from schemathesis import Case, GenerationMode, Response
    from schemathesis.schemas import APIOperation

    Operation = APIOperation[Any, Any, Any, Any]

SECRET = re.compile(
    r"(?:access|public|link|processor)-(?:sandbox|production)-[0-9a-f]|bl_[0-9a-f]{8}_[\w-]{20}"
)
"""Tokens of Plaid's and keys of ours, by their shape: also those that nobody thought of."""

TELLS_A_SECRET = {"POST /plaid/exchange", "POST /plaid/link-token", "POST /keys"} | {
    "POST /plaid/items/{item_id}/link-token"
}

NOT_OURS = {"plaid_error", "plaid_unreachable", "plaid_busy", "webhook_undecided"}
"""Codes of 502 and 503 whose cause lies with Plaid. A run's 502 has Plaid's own code."""

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

ROUNDS_MAX = 5

SLOW = {"POST /plaid/sync", "POST /plaid/exchange", "POST /plaid/items/{item_id}/repaired"} | {
    "POST /plaid/items/{item_id}/refresh", "POST /plaid/link-token",
    "POST /plaid/items/{item_id}/link-token",
}  # fmt: skip
"""What waits for Plaid or for a run gets a quarter of the cases of the others."""


@dataclass
class Fuzzer:
    """Asks as each of the callers; what it finds stands in `findings`, once a kind and operation."""

    url: str
    session: requests.Session
    keys: Sequence[str]
    people: Sequence[dict[str, Any]]
    secrets: set[str]
    cases: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)

    def run(self, cases: int, seed: int) -> None:
        """Ask at least so many cases of all operations together, what deletes coming last in a round.

        A round falls a little short where an operation has no more to vary; another one follows it.
        """
        for number in range(ROUNDS_MAX):
            left = cases - self.cases.total()
            if left > 0:
                self._round(left, seed + number)

    def _round(self, cases: int, seed: int) -> None:
        found = self._operations()
        weights = {each.label: _weight(each) for each in found}
        for operation in found:
            share = -(-cases * weights[operation.label] // sum(weights.values()))
            for mode in schemathesis.GenerationMode:
                self._ask_about(operation, mode, 1 + share // 2, seed)

    def _operations(self) -> list[Operation]:
        """Return what the document tells of; how a key is sent we know, and it has to be a good one."""
        document = self.session.get(f"{self.url}/openapi.json").json()
        for path in document["paths"].values():
            for told in path.values():
                told.pop("security", None)
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=self.url)
        found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        return sorted(found, key=lambda each: each.method.upper() == "DELETE")

    def _ask_about(self, operation: Operation, mode: GenerationMode, cases: int, seed: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode), strategies.data())
        def ask(case: Case[Any], data: strategies.DataObject) -> None:
            if mode is schemathesis.GenerationMode.POSITIVE:
                self._name_what_exists(case, data)
            self._judge(case, data.draw(strategies.sampled_from(self.keys)))

        # Where an operation takes nothing, nothing can be wrong with what it is given.
        with suppress(hypothesis.errors.Unsatisfiable):
            ask()

    def _name_what_exists(self, case: Case[Any], data: strategies.DataObject) -> None:
        """Put somebody's ids, or nobody's, where random text would only ever meet 404."""
        places: list[Any] = [case.path_parameters, case.query, case.body]
        for place in filter(lambda each: isinstance(each, dict), places):
            for name in sorted(place.keys() & NEVER_EXISTED.keys()):
                known = [whose[name] for whose in (*self.people, NEVER_EXISTED)]
                value = data.draw(strategies.sampled_from([None, *known]))
                if value is not None:
                    place[name] = [value] if isinstance(place[name], list) else value

    def _judge(self, case: Case[Any], key: str) -> None:
        label = case.operation.label
        self.cases[label] += 1
        answer = case.call(session=self.session, headers={"Authorization": f"Bearer {key}"})
        self.answers[label, answer.status_code] += 1
        for finding in [*_unlike_the_document(case, answer), *self._unfit(label, answer)]:
            self.findings.setdefault((label, finding[0]), f"{finding[1]}\n{_told(case, answer)}")

    def _unfit(self, label: str, answer: Response) -> list[tuple[str, str]]:
        found = []
        if answer.status_code >= 500 and not _is_plaids_fault(answer):
            found.append(("a fault of ours", str(answer.status_code)))
        if label not in TELLS_A_SECRET:
            told = SECRET.search(answer.text) or next(
                filter(answer.text.__contains__, self.secrets), None
            )
            if told:
                found.append(("a secret is told", str(told)))
        return found


def _weight(operation: Operation) -> int:
    """Return how many cases it is worth: nothing can be varied where nothing is taken."""
    takes = [*operation.iter_parameters(), *operation.body]
    return 0 if not takes else 1 if operation.label in SLOW else 4


def _unlike_the_document(case: Case[Any], answer: Response) -> list[tuple[str, str]]:
    try:
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup as group:
        return [(failure.title, failure.message) for failure in group.exceptions]
    return []


def _is_plaids_fault(answer: Response) -> bool:
    body = answer.json()
    error = body.get("error") or {}
    if answer.status_code == 502 and body.get("status") == "failed":
        return error.get("code") not in {None, "internal_error", "seal_broken"}
    return answer.status_code in {502, 503} and error.get("code") in NOT_OURS


def _told(case: Case[Any], answer: Response) -> str:
    return f"{case.as_curl_command()}\n-> {answer.status_code} {answer.text[:500]}"

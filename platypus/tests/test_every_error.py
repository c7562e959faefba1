"""Every documented refusal, on every endpoint that can give it; a refused call changes nothing."""

import http.client
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import msgspec
import plaid
import pytest
from plaid.api import plaid_api

import error_cases
from documented_codes import DOCUMENTED, NOT_TO_BE_HAD
from endpoint_calls import CALLS, filled
from households import GOOD, Household
from platypus_bank.plaid_door import ENDPOINTS
from raw_plaid import CONTRACT, KEYS, Answer
from refusals import Case, settings

PAGE = (Path(__file__).parents[2] / "docs/platypus.md").read_text()
KINDS = [
    error_cases.of_tokens, error_cases.of_products, error_cases.of_accounts, error_cases.of_link,
    error_cases.of_institutions, error_cases.of_the_sandbox, error_cases.of_data,
    error_cases.of_paths, error_cases.of_limits, error_cases.of_logins,
]  # fmt: skip
BY_PLACE: dict[tuple[str, str], list[Case]] = defaultdict(list)
for _kind in KINDS:
    for _case in _kind():
        BY_PLACE[_kind.__name__, _case.path].append(_case)
FAULTS = error_cases.of_faults()
MALFORMED = {"INVALID_BODY", "INVALID_HEADERS", "MISSING_FIELDS", "UNKNOWN_FIELDS"}
MALFORMED |= {"INVALID_FIELD", "INVALID_API_KEYS", "INCOMPATIBLE_API_VERSION"}


@pytest.fixture(scope="module")
def read_typed() -> Iterator[Callable[[str, Answer], Any]]:
    """Read an answer as plaid-python reads that of the endpoint; it is strict about what is required."""
    with plaid.ApiClient() as client:
        known = vars(plaid_api.PlaidApi(client)).values()
        settings_ = [each.settings for each in known if hasattr(each, "settings")]
        types = {each["endpoint_path"]: each["response_type"] for each in settings_}

        def read(path: str, answer: Answer) -> Any:
            data = SimpleNamespace(data=json.dumps(answer.body, default=float))
            return client.deserialize(data, types[path], _check_type=True)

        yield read


def check(answer: Answer, error: tuple[int, str, str]) -> None:
    """See to it that an answer is this refusal, with all that a refusal has."""
    assert answer.error == error
    assert answer["error_message"]
    assert len(answer["request_id"]) == 15


def knock(home: Household, path: str, body: bytes, **headers: str) -> Answer:
    """POST anything, with no headers but the given."""
    line = http.client.HTTPConnection(urlsplit(home.api.bank.url).netloc, timeout=30)
    try:
        line.request("POST", path, body, headers)
        answer = line.getresponse()
        read = Answer(answer.status, json.loads(answer.read()))
    finally:
        line.close()
    CONTRACT.hold(path, read.status, read.body)
    return read


def good_call(home: Household, path: str) -> dict[str, Any]:
    """Return the good call of an endpoint; one that ends its Item has an Item of its own."""
    names = dict(home.names)
    if CALLS[path].ends_item:
        names["$access"], _ = home.item("transactions")
    body: dict[str, Any] = filled(CALLS[path].body, names)
    return body


def test_every_endpoint_has_its_cases() -> None:
    """A new endpoint has to say what a good call of it is; then its refusals are tried too."""
    assert CALLS.keys() == ENDPOINTS.keys()


@pytest.mark.parametrize("path", sorted(CALLS))
def test_the_good_call_is_good(
    household: Household, read_typed: Callable[[str, Answer], Any], path: str
) -> None:
    """Else the refusals below would prove nothing; and plaid-python reads the answer."""
    body = good_call(household, path)
    if path == "/statements/download":
        assert household.api.download(path, **body)[0].startswith(b"%PDF")
    else:
        answer = household.api.post(path, **body)
        assert answer.status == 200, answer.body
        assert read_typed(path, answer).request_id == answer["request_id"]


@pytest.mark.parametrize("path", sorted(CALLS))
def test_a_body_that_is_none(household: Household, path: str) -> None:
    """No JSON, no object, not said to be JSON, or not said to be anything."""
    keys = {**KEYS, "PLAID-CLIENT-ID": household.api.headers["PLAID-CLIENT-ID"]}
    json_ = {**keys, "Content-Type": "application/json; charset=utf-8"}
    good = json.dumps(good_call(household, path)).encode()
    with household.unchanged():
        for body in (b"{", b"[]", b'"text"', b"null", b"\xff"):
            check(knock(household, path, body, **json_), (400, "INVALID_REQUEST", "INVALID_BODY"))
        as_text = {**keys, "Content-Type": "text/plain"}
        check(knock(household, path, good, **as_text), (400, "INVALID_REQUEST", "INVALID_BODY"))
        check(knock(household, path, good, **keys), (400, "INVALID_REQUEST", "INVALID_HEADERS"))


@pytest.mark.parametrize("path", sorted(CALLS.keys() - {"/categories/get"}))
def test_keys_that_are_none(household: Household, path: str) -> None:
    """Without client_id, without secret, or with a public_key, which was enough once."""
    good = good_call(household, path)
    json_ = {"Content-Type": "application/json"}
    wrong = (400, "INVALID_INPUT", "INVALID_API_KEYS")
    with household.unchanged():
        for keys in ({}, {"client_id": "x"}, {"secret": "x"}, {"client_id": 1, "secret": 2}):
            body = json.dumps({**good, **keys}).encode()
            check(knock(household, path, body, **json_), wrong)
        body = json.dumps({**good, "public_key": "x"}).encode()
        old = (400, "INVALID_REQUEST", "INCOMPATIBLE_API_VERSION")
        check(knock(household, path, body, **json_), old)


@pytest.mark.parametrize("path", sorted(CALLS))
def test_fields_that_are_wrong(household: Household, path: str) -> None:
    """Each required field left out, each field of another type, and fields that nobody knows."""
    good = good_call(household, path)
    fields = msgspec.structs.fields(ENDPOINTS[path][0])
    with household.unchanged():
        for name in (each.name for each in fields if each.required):
            answer = household.api.post(path, **{n: v for n, v in good.items() if n != name})
            check(answer, (400, "INVALID_REQUEST", "MISSING_FIELDS"))
            assert answer["error_message"].endswith(f": {name}")
        for name in (each.name for each in fields if each.name not in ("client_id", "secret")):
            answer = household.api.post(path, **{**good, name: 1.5})
            check(answer, (400, "INVALID_REQUEST", "INVALID_FIELD"))
            assert name in answer["error_message"]
        answer = household.api.post(path, **good, colour="blue")
        check(answer, (400, "INVALID_REQUEST", "UNKNOWN_FIELDS"))


@pytest.mark.parametrize(
    "cases", [pytest.param(each, id=f"{kind} {path}") for (kind, path), each in BY_PLACE.items()]
)
def test_a_refusal(household: Household, cases: list[Case]) -> None:
    """Each case with its status, type, code and message, and nothing changed."""
    for case in cases:
        with case.given(household):
            pass  # what it needs is there from now on
    with household.unchanged():
        for case in cases:
            check(case.answer(household), case.error)


def test_what_is_not_ready(household: Household) -> None:
    """While an Item's history is held back; the Item itself can be asked for."""
    held = {"initial_update_seconds": "held", "historical_update_seconds": "held"}
    with settings(household, **held):
        access, _ = household.item(**GOOD)
        with household.unchanged():
            for case in error_cases.of_waiting():
                check(case.answer(household, {"$access": access}), case.error)
        assert household.api.post("/item/get", access_token=access).status == 200


@pytest.mark.parametrize(("name", "cases"), sorted(FAULTS.items()))
def test_a_named_refusal(household: Household, name: str, cases: list[Case]) -> None:
    """What is planted by name strikes every endpoint that it can, and none does anything then."""
    household.control.fault(name=name, times=0)
    with household.unchanged():
        for case in cases:
            check(case.answer(household), case.error)
    household.control.clear_faults()


def produced() -> Iterator[str]:
    """Return the codes that the tests above ask for, and get."""
    yield from MALFORMED
    yield from (case.code for case in error_cases.of_waiting())
    for cases in (*BY_PLACE.values(), *FAULTS.values()):
        yield from (case.code for case in cases)


def test_every_documented_code_is_produced() -> None:
    """Or the page gives a reason why it can't be, and it indeed isn't."""
    documented = {code for codes in DOCUMENTED.values() for code in codes}
    assert documented - set(produced()) == NOT_TO_BE_HAD.keys()
    refusals = PAGE.split("### Refusals\n")[1].split("\n### ")[0]
    rows = [line.strip("| ").split(" | ") for line in refusals.splitlines() if line[:3] == "| `"]
    told = {code: why for codes, why in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == NOT_TO_BE_HAD
    assert f"Of the {len(documented)} codes" in refusals
    assert f"{len(documented - told.keys())} can be had" in refusals
    assert f"the {len(ENDPOINTS)} endpoints" in refusals

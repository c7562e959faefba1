"""The people of a crash test: they link banks and ask for syncs, whether or not anybody answers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from harness import WAIT_SECONDS, go_through_link, wait_until
from scenes import bank_account, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Api
    from platypus_bank.testing import Running

PEOPLE = 8
EXPECTED = {200, 202, 409, 502, 503, 504}
"""What an answer may be while things die: done, queued, busy with it or needs re-link, Plaid or the
database not there. Anything else is a fault of the service's."""


@dataclass
class People:
    """Callers of the service; `linked` is every Item that an exchange has been answered for."""

    api: Api
    bank: Running
    pool: ThreadPoolExecutor
    linked: set[str] = field(default_factory=set)
    begun: int = 0
    strange: list[str] = field(default_factory=list)
    _busy: set[Future[None]] = field(default_factory=set)

    def link(self, *, is_patient: bool) -> None:
        """Let somebody new link their bank; who is patient tries until there is an answer."""
        self.begun += 1
        self._start(self._link, f"person {self.begun}", is_patient)

    def sync(self, item_id: str, *, waits: bool) -> None:
        """Let somebody ask for a sync, and wait for it or not."""
        self._start(self._try, "/plaid/sync", {"item_id": item_id, "wait": waits})

    def settle(self) -> None:
        """Wait until all have had their answer, or given up."""
        done, pending = wait(self._busy, WAIT_SECONDS * 3)
        assert not pending, "somebody waits for an answer for ever"
        self._busy.clear()
        for each in done:
            each.result()
        assert not self.strange, self.strange

    def _start(self, call: Callable[..., Any], *args: Any) -> None:
        self._busy = {each for each in self._busy if not each.done() or each.exception()}
        self._busy.add(self.pool.submit(call, *args))

    def _link(self, user: str, is_patient: bool) -> None:  # noqa: FBT001 - called by the pool
        asked = {"user_id": user, "products": ["transactions"]}
        opened = self._insist("/plaid/link-token", asked)
        login = person(bank_account("Checking", "0001"), bank_account("Savings", "0002"))
        token = go_through_link(self.bank, opened.json()["link_token"], **login)
        spent = {"public_token": token, "product": "transactions"}
        answer = self._insist("/plaid/exchange", spent) if is_patient else None
        answer = answer or self._try("/plaid/exchange", spent)
        if answer is not None and answer.is_success:
            self.linked.add(answer.json()["item_id"])

    def _insist(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Try until it is done: a cut-off exchange is another call's until its lease is over."""

        def done() -> httpx.Response | None:
            answer = self._try(path, body)
            return answer if answer is not None and answer.is_success else None

        answer: httpx.Response = wait_until(done, WAIT_SECONDS * 2)
        return answer

    def _try(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        try:
            answer = self.api.post(path, **body)
        except httpx.TransportError:
            return None
        if answer.status_code not in EXPECTED:
            self.strange.append(f"{path}: {answer.status_code} {answer.text}")
        return answer


@contextmanager
def people(api: Api, bank: Running) -> Iterator[People]:
    """Let people be there for the length of a block."""
    with ThreadPoolExecutor(PEOPLE, "person") as pool:
        yield People(api, bank, pool)

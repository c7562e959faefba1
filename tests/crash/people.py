"""The people of a crash test: they link banks and ask for syncs, whether or not anybody answers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from harness import go_through_link, wait_until
from scenes import bank_account, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Api
    from platypus_bank.testing import Running

EXCHANGE = "/plaid/exchange"
PEOPLE = 8
PATIENCE_SECONDS = 300
"""The service may be killed again as soon as it is back, and a busy machine is slow to start it."""

EXPECTED = {200, 202, 409, 502, 503, 504}
"""What an answer may be while things die: done, queued, busy with it already, Plaid or the
database not there. Anything else is a fault of the service's."""


@dataclass
class People:
    """Callers of the service; `linked` is every Item that an exchange has been answered for."""

    api: Api
    bank: Running
    pool: ThreadPoolExecutor
    linked: set[str] = field(default_factory=set)
    begun: int = 0
    _strange: list[str] = field(default_factory=list)
    _busy: set[Future[None]] = field(default_factory=set)
    _told_to_come_back: list[dict[str, Any]] = field(default_factory=list)

    def link(self, *, is_patient: bool) -> None:
        """Let somebody new link their bank; who is patient tries until there is an answer."""
        self.begun += 1
        self._start(self._link, f"person {self.begun}", is_patient)

    def sync(self, item_id: str, *, waits: bool) -> None:
        """Let somebody ask for a sync, and wait for it or not."""
        self._start(self._try, "/plaid/sync", {"item_id": item_id, "wait": waits})

    def settle(self) -> None:
        """Wait until all have had their answer, or given up."""
        done, pending = wait(self._busy, PATIENCE_SECONDS)
        assert not pending, "somebody waits for an answer for ever"
        self._busy.clear()
        for each in done:
            each.result()
        assert not self._strange, self._strange

    def come_back(self) -> None:
        """Ask again for the exchanges that were another call's, which had died: all are done now."""
        while self._told_to_come_back:
            spent = self._told_to_come_back.pop()
            answer = self._try(EXCHANGE, spent)
            assert answer is not None
            assert answer.is_success, answer.text
            self.linked.add(answer.json()["item_id"])

    def _start(self, call: Callable[..., Any], *args: Any) -> None:
        self._busy = {each for each in self._busy if not each.done() or each.exception()}
        self._busy.add(self.pool.submit(call, *args))

    def _link(self, user: str, is_patient: bool) -> None:  # noqa: FBT001 - called by the pool
        opened: httpx.Response = wait_until(lambda: self._link_token(user), PATIENCE_SECONDS)
        login = person(bank_account("Checking", "0001"), bank_account("Savings", "0002"))
        token = go_through_link(self.bank, opened.json()["link_token"], **login)
        spent = {"public_token": token, "product": "transactions"}
        if is_patient:
            wait_until(lambda: self._exchange(spent), PATIENCE_SECONDS)
        else:
            self._exchange(spent)

    def _link_token(self, user: str) -> httpx.Response | None:
        answer = self._try("/plaid/link-token", {"user_id": user, "products": ["transactions"]})
        return answer if answer is not None and answer.is_success else None

    def _exchange(self, spent: dict[str, Any]) -> bool:
        """Exchange; say whether there is an answer that tells the person what to do next."""
        answer = self._try(EXCHANGE, spent)
        if answer is not None and answer.is_success:
            self.linked.add(answer.json()["item_id"])
        elif answer is not None and answer.status_code == 409:
            self._told_to_come_back.append(spent)
        return answer is not None and answer.status_code in {200, 409}

    def _try(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        try:
            answer = self.api.post(path, **body)
        except httpx.TransportError:
            return None
        if answer.status_code not in EXPECTED:
            self._strange.append(f"{path}: {answer.status_code} {answer.text}")
        return answer


@contextmanager
def people(api: Api, bank: Running) -> Iterator[People]:
    """Let people be there for the length of a block."""
    with ThreadPoolExecutor(PEOPLE, "person") as pool:
        yield People(api, bank, pool)

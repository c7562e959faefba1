"""The people of a crash test: they link banks and ask for syncs, whether or not anybody answers."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx

from harness import go_through_link
from scenes import bank_account, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Api
    from platypus_bank.testing import Running

EXCHANGE = "/plaid/exchange"
PEOPLE = 8
PATIENCE_SECONDS = 300
"""The service may be killed again as soon as it is back, and a busy machine is slow to start it."""

RETRY_SECONDS = 0.2
BUSY = 409
"""Another call is busy with this exchange, or died with it: come back later."""
VOID = 400
"""The Item could not be stored and was removed again, so its public token is void: open Link again."""
EXPECTED = {200, 202, BUSY, 502, 503}
"""What an answer may be while things die; 502 and 503: Plaid or the database was not there.

Anything else is a fault of the service's, but a void token at the exchange.
"""


@dataclass
class People:
    """Callers of the service; `linked` is every Item that an exchange has been answered for."""

    api: Api
    bank: Running
    pool: ThreadPoolExecutor
    linked: set[str] = field(default_factory=set)
    begun: int = 0
    heard: Counter[str] = field(default_factory=Counter)
    """How often each answer was given."""
    _strange: list[str] = field(default_factory=list)
    _busy: set[Future[None]] = field(default_factory=set)
    _over: Event = field(default_factory=Event)
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
        failed = [each.exception() for each in done if each.exception()]
        assert (len(pending), failed) == (0, []), self.heard
        self._busy.clear()
        assert not self._strange, self._strange

    def come_back(self) -> None:
        """Ask again for the exchanges that were another call's, which had died: all are decided now."""
        while self._told_to_come_back:
            answer = self._exchange(self._told_to_come_back.pop())
            assert answer in {200, VOID}, self.heard

    def go_home(self) -> None:
        """Give up whatever is not answered yet: the test is over."""
        self._over.set()

    def _start(self, call: Callable[..., Any], *args: Any) -> None:
        self._busy = {each for each in self._busy if not each.done() or each.exception()}
        self._busy.add(self.pool.submit(call, *args))

    def _link(self, user: str, is_patient: bool) -> None:  # noqa: FBT001 - called by the pool
        asked = {"user_id": user, "products": ["transactions"]}
        deadline = time.monotonic() + PATIENCE_SECONDS
        spent: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            if spent is None:
                spent = self._go_through_link(asked)
            else:
                told = self._exchange(spent)
                if told in {200, BUSY} or not is_patient:
                    return
                spent = None if told == VOID else spent
            if self._over.wait(RETRY_SECONDS):
                return
        raise AssertionError(f"{user} had no answer")

    def _go_through_link(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Return what is to be exchanged, if Link could be opened."""
        opened = self._try("/plaid/link-token", asked)
        if opened is None or not opened.is_success:
            return None
        login = person(bank_account("Checking", "0001"), bank_account("Savings", "0002"))
        token = go_through_link(self.bank, opened.json()["link_token"], **login)
        return {"public_token": token, "product": "transactions"}

    def _exchange(self, spent: dict[str, Any]) -> int | None:
        """Exchange; return the status of the answer, if there was one."""
        answer = self._try(EXCHANGE, spent)
        if answer is None:
            return None
        if answer.is_success:
            self.linked.add(answer.json()["item_id"])
        elif answer.status_code == BUSY:
            self._told_to_come_back.append(spent)
        return answer.status_code

    def _try(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        try:
            answer = self.api.post(path, **body)
        except httpx.TransportError as error:
            self.heard[f"{path} {type(error).__name__}"] += 1
            return None
        code = "" if answer.is_success else answer.json().get("error", {}).get("code", "")
        self.heard[f"{path} {answer.status_code} {code}".strip()] += 1
        if answer.status_code not in (EXPECTED | {VOID} if path == EXCHANGE else EXPECTED):
            self._strange.append(f"{path}: {answer.status_code} {answer.text}")
        return answer


@contextmanager
def people(api: Api, bank: Running) -> Iterator[People]:
    """Let people be there for the length of a block."""
    with ThreadPoolExecutor(PEOPLE, "person") as pool:
        callers = People(api, bank, pool)
        try:
            yield callers
        finally:
            callers.go_home()

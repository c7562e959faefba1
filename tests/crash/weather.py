"""The weather of a crash test: whatever happens at the bank, in an order made from a seed."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from scenes import days_ago

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from types import TracebackType

    from crash.people import People
    from platypus_bank.testing import Running

ITEMS_A_SPELL = 3
PILES_A_SPELL = 2
"""How many Items are new between two pauses, and how often a thousand rows come at once.

More would only make the comparisons longer.
"""

PAUSE_SECONDS_MAX = 0.25


@dataclass
class Known:
    """What the weather remembers of an Item: ids that it may change, accounts that are open."""

    accounts: list[str]
    posted: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


class Weather:
    """Makes changes at the bank, one after another, until the end of the block; may be paused."""

    def __init__(self, bank: Running, people: People, rng: Random) -> None:
        self.changes: dict[str, int] = defaultdict(int)
        self._bank = bank
        self._people = people
        self._rng = rng
        self._known: dict[str, Known] = {}
        self._broken: set[str] = set()
        self._spells = self._piles = 0
        self._error: BaseException | None = None
        self._goes_on, self._ends = threading.Event(), threading.Event()
        self._is_still = threading.Event()
        self._thread = threading.Thread(target=self._blow, name="weather")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._goes_on.set()
        self._thread.join()

    def resume(self) -> None:
        """Go on."""
        self._spells += 1
        self._goes_on.set()

    def pause(self) -> None:
        """Stop changing anything, with every login in order and everybody answered."""
        self._goes_on.clear()
        self._is_still.wait()
        if self._error is not None:
            raise self._error
        self._people.settle()
        self._bank.control.clear_trouble()
        for item_id in sorted(self._broken):
            self._repair(item_id)

    def _blow(self) -> None:
        try:
            while not self._ends.is_set():
                if not self._goes_on.is_set():
                    self._is_still.set()
                    self._goes_on.wait()
                    self._is_still.clear()
                    continue
                self._change()
                self._ends.wait(self._rng.uniform(0, PAUSE_SECONDS_MAX))
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self._error = error
        finally:
            self._is_still.set()

    def _change(self) -> None:
        item_id = self._some_item()
        if item_id is None:
            self._link()
            return
        acts, weights = zip(*_OFTEN.items(), strict=True)
        (act,) = self._rng.choices(acts, weights)
        self.changes[act.__name__.strip("_")] += 1
        act(self, item_id)

    def _some_item(self) -> str | None:
        for item_id in sorted(self._people.linked - self._known.keys()):
            accounts = self._bank.control.ledger(item_id)["accounts"]
            self._known[item_id] = Known([each["account_id"] for each in accounts])
        return self._rng.choice(list(self._known)) if self._known else None

    def _tell(self, item_id: str, **changes: list[Any]) -> list[str]:
        """Make an update at the bank; return the ids of what is new."""
        added: list[str] = self._bank.control.changes(item_id, **changes)["added"]
        return added

    def _spend(self, item_id: str) -> None:
        known = self._known[item_id]
        rows = [self._purchase(known) for _ in range(self._rng.randint(1, 4))]
        for row, new in zip(rows, self._tell(item_id, added=rows), strict=True):
            (known.pending if row["pending"] else known.posted).append(new)

    def _purchase(self, known: Known) -> dict[str, Any]:
        cents = self._rng.randint(-50_000, 50_000)
        return {
            "account_id": self._rng.choice(known.accounts),
            "amount": cents / 100,
            "date": days_ago(self._rng.randint(0, 700)),
            "name": f"Purchase of {cents}",
            "pending": self._rng.random() < 0.4,
        }

    def _correct(self, item_id: str) -> None:
        """Change amounts and dates that were told before."""
        known = self._known[item_id]
        ids = self._some_of(known.posted)
        amount, day = self._rng.randint(1, 10**6) / 100, days_ago(self._rng.randint(0, 700))
        fields = {"amount": amount, "date": day, "merchant_name": "Corrected"}
        if ids:
            self._tell(item_id, modified=[{"transaction_id": each, **fields} for each in ids])

    def _take_back(self, item_id: str) -> None:
        known = self._known[item_id]
        ids = self._some_of(known.posted)
        known.posted = [each for each in known.posted if each not in ids]
        if ids:
            self._tell(item_id, removed=ids)

    def _post(self, item_id: str) -> None:
        """Let pending transactions post: each goes, and a new one names it."""
        known = self._known[item_id]
        ids, known.pending = known.pending, []
        if not ids:
            return
        rows = [
            self._purchase(known) | {"pending": False, "pending_transaction_id": each}
            for each in ids
        ]
        known.posted += self._tell(item_id, added=rows, removed=ids)

    def _some_of(self, ids: list[str]) -> list[str]:
        return self._rng.sample(ids, min(len(ids), self._rng.randint(1, 3)))

    def _pile(self, item_id: str) -> None:
        """Let several pages come at a time."""
        if self._piles < PILES_A_SPELL * self._spells:
            self._piles += 1
            self._bank.control.bulk(item_id, self._rng.randint(600, 1600))

    def _move(self, item_id: str) -> None:
        """Change a balance, and spend: a balance does not change by itself."""
        account_id = self._rng.choice(self._known[item_id].accounts)
        balances = {"current": self._rng.randint(0, 10**6) / 100}
        self._bank.control.accounts(
            item_id, upsert=[{"account_id": account_id, "balances": balances}]
        )
        self._spend(item_id)

    def _open_or_close(self, item_id: str) -> None:
        """Open an account, or close one that was opened so, and spend from what is there."""
        accounts = self._known[item_id].accounts
        if len(accounts) > 3:
            self._bank.control.accounts(item_id, close=[accounts.pop()])
        else:
            new = {"name": f"Account {len(accounts)}", "mask": f"{len(accounts):04}"}
            listed = self._bank.control.accounts(item_id, upsert=[new])["accounts"]
            accounts += [
                each["account_id"] for each in listed if each["account_id"] not in accounts
            ]
        self._spend(item_id)

    def _break_or_repair(self, item_id: str) -> None:
        if item_id in self._broken:
            self._repair(item_id)
        else:
            self._bank.control.break_login(item_id)
            self._broken.add(item_id)

    def _repair(self, item_id: str) -> None:
        self._bank.control.repair(item_id)
        self._broken.discard(item_id)

    def _ask(self, item_id: str) -> None:
        self._people.sync(item_id, waits=self._rng.random() < 0.3)

    def _link(self, _item_id: str = "") -> None:
        if self._people.begun < ITEMS_A_SPELL * self._spells:
            self._people.link(is_patient=not self._known or self._rng.random() < 0.5)

    def _trouble(self, _item_id: str) -> None:
        """Let some of the next webhooks come twice, or late, or in another order."""
        kinds: list[dict[str, Any]] = [{"double": True}, {"delay_seconds": 3}, {"reorder": 3}]
        self._bank.control.clear_trouble()
        self._bank.control.trouble(**self._rng.choice(kinds))


_OFTEN: dict[Callable[[Weather, str], None], int] = {
    Weather._spend: 30,
    Weather._correct: 12,
    Weather._take_back: 8,
    Weather._post: 12,
    Weather._pile: 3,
    Weather._move: 8,
    Weather._open_or_close: 3,
    Weather._break_or_repair: 3,
    Weather._ask: 8,
    Weather._link: 3,
    Weather._trouble: 3,
}

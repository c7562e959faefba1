"""Years of many lives, with every fault switched on: what it comes to, and that clients survive it.

`python platypus/tests/support/years.py --items 1000` lives them twice, side by side, and compares.
"""

import argparse
import contextlib
import http.client
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from typing import Any

from platypus_bank.faults.catalogue import CALL_FAULTS, is_survived
from platypus_bank.receiver import receiving
from platypus_bank.testing import Running, running
from raw_plaid import KEYS
from stubborn import SYNC, knock

BEGINNING = "2024-01-01T09:00:00Z"
MONTH_SECONDS = 365 * 86_400 / 12
_TRIES_MAX = 300


Outcome = dict[str, Any]
"""What the world came to, and in `met` a hash of every answer that any client got on the way."""


class Client:
    """Follows one Item, and lets nothing stop it. Holds a hash of each transaction."""

    def __init__(self, bank: Running, met: Any, name: str, webhook: str | None) -> None:
        self._bank, self._met = bank, met
        options = {"override_username": name, "transactions": {"days_requested": 30}}
        options |= {} if webhook is None else {"webhook": webhook}
        made = self._insist(
            "/sandbox/public_token/create",
            institution_id="ins_109508",
            initial_products=["transactions", "liabilities"],
            options=options,
        )
        known = self._insist("/item/public_token/exchange", public_token=made["public_token"])
        self.access, self.item_id = known["access_token"], known["item_id"]
        self.cursor = ""
        self.held: dict[str, bytes] = {}

    def pull(self) -> None:
        """Take everything there is to take; a voided loop begins again, a foreign cursor at nothing."""
        for _ in range(_TRIES_MAX):
            taken = dict(self.held) if self.cursor else {}
            cursor = self._loop(taken)
            if cursor is not None:
                self.cursor, self.held = cursor, taken
                return
        raise AssertionError(f"{_TRIES_MAX} loops were void")

    def _loop(self, taken: dict[str, bytes]) -> str | None:
        cursor = self.cursor
        while True:
            page = self._insist(SYNC, access_token=self.access, cursor=cursor, count=100)
            if "added" not in page:
                self.cursor = "" if page["error_code"] == "INVALID_FIELD" else self.cursor
                return None
            for row in (*page["added"], *page["modified"]):
                taken[row["transaction_id"]] = row_hash(row)
            for row in page["removed"]:
                taken.pop(row["transaction_id"], None)
            cursor = str(page["next_cursor"])
            if not page["has_more"]:
                return cursor

    def _insist(self, path: str, **body: Any) -> dict[str, Any]:
        """Return an answer that is one, or the refusal that only a new loop gets past."""
        for _ in range(_TRIES_MAX):
            try:
                status, raw = knock(self._bank, path, **body)
                found: dict[str, Any] = json.loads(raw)
            except (OSError, http.client.HTTPException, ValueError) as problem:
                self._met.update(type(problem).__name__.encode())
                continue
            self._met.update(f"{path} {status} {found.get('error_code')}".encode())
            if status == http.client.OK or self._is_void(found):
                return found
            if found["error_code"] == "ITEM_LOGIN_REQUIRED" and hasattr(self, "item_id"):
                self._bank.control.repair(self.item_id)
        raise AssertionError(f"{path} failed {_TRIES_MAX} times")

    @staticmethod
    def _is_void(found: dict[str, Any]) -> bool:
        void = {"TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION", "INVALID_FIELD"}
        return found["error_code"] in void


def row_hash(row: dict[str, Any]) -> bytes:
    """Return what a transaction is told from another by."""
    return blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=12).digest()


def plant_all(bank: Running, chance: float = 0.02) -> None:
    """Switch on every fault there is: of calls, of Items, of banks, of loops and of webhooks."""
    bank.control.fault(name="everything", chance=chance, seconds=0.01)
    for name, known in CALL_FAULTS.items():
        if not is_survived(known):
            bank.control.fault(name=name, chance=chance / 8)


def live(seed: int, items: int, months: int, *, progress: bool = False) -> Outcome:
    """Live through months with some people; returns what the world came to.

    Raises AssertionError where a client holds anything else than its ledger.
    """
    met = blake2b(digest_size=16)
    with running(client_id=KEYS["PLAID-CLIENT-ID"]) as bank, receiving() as receiver:
        bank.control.reset(seed, stands_at=BEGINNING)
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        plant_all(bank)
        clients = [
            # One in ten hears of it too; whether it listens changes nothing of what it must hold.
            Client(bank, met, f"user_living_{place}", None if place % 10 else receiver.url)
            for place in range(items)
        ]
        for month in range(months):
            bank.control.advance(MONTH_SECONDS)
            for client in clients:
                client.pull()
            if progress:
                sys.stdout.write(f"seed {seed}: month {month + 1} of {months}\n")
                sys.stdout.flush()
        bank.control.clear_faults()
        for client in clients:
            client.pull()
            _compare(bank, client)
        return {**bank.control.ledger_hash(), "met": met.hexdigest()}


def _compare(bank: Running, client: Client) -> None:
    ledger = bank.control.ledger(client.item_id)["transactions"]
    assert client.held == {row["transaction_id"]: row_hash(row) for row in ledger}, client.item_id


def main() -> int:
    """Live the same years twice at once, and tell whether they came to the same."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--items", type=int, default=1000)
    asked.add_argument("--months", type=int, default=24)
    asked.add_argument("--seed", type=int, default=7)
    wanted = asked.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(2) as both, contextlib.closing(sys.stdout):
        runs = [
            both.submit(live, wanted.seed, wanted.items, wanted.months, progress=place == 0)
            for place in range(2)
        ]
        first, again = (each.result() for each in runs)
        sys.stdout.write(f"{first}\n{again}\n{time.monotonic() - began:.0f} s\n")
    return 0 if first == again else 1


if __name__ == "__main__":
    sys.exit(main())

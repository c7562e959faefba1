"""What is kept of balances: the last word of each day, an account a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenes import linked, query

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

SNAPSHOTS = """
    SELECT account_id, current_date - date AS days_ago, "current", taken_at
    FROM balance_snapshots ORDER BY date
"""


def see(api: Api, bank: Running, item_id: str, current: float) -> dict[str, Any]:
    """Let the bank say another balance, and the service look."""
    (account,) = bank.control.ledger(item_id)["accounts"]
    balance = {"account_id": account["account_id"], "balances": {"current": current}}
    bank.control.accounts(item_id, upsert=[balance])
    assert api.sync(item_id)["status"] == "up_to_date"
    return balance


def test_the_days_last_balance_is_kept(api: Api, runtime: Runtime, bank: Running) -> None:
    """Each look writes over the day's; yesterday's stays as it was."""
    item_id = linked(api, bank)
    see(api, bank, item_id, 10)
    account_id = see(api, bank, item_id, 20.5)["account_id"]
    (today,) = query(runtime, SNAPSHOTS)
    assert (today.account_id, today.days_ago, float(today.current)) == (account_id, 0, 20.5)
    query(runtime, "UPDATE balance_snapshots SET date = date - 1")
    see(api, bank, item_id, 30)
    yesterday, now = query(runtime, SNAPSHOTS)
    assert (yesterday.days_ago, float(yesterday.current)) == (1, 20.5)
    assert (now.days_ago, float(now.current)) == (0, 30)
    assert yesterday.taken_at == today.taken_at < now.taken_at

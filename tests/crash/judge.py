"""Judges after the kills: everything has come to rest, and is exactly what the bank holds."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from scenes import assert_equals_ledger, query
from workers import tick_now

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from crash.victims import Town
    from platypus_bank.testing import Running

REST_SECONDS_MAX = 150
"""A dead worker is noticed within seconds, and by the next tick; a busy machine takes its time."""

FIRST_LEAP_SECONDS = 30
LONGEST_LEAP_SECONDS = 4 * 3600
"""How far the emulator's clock is moved on: as Plaid's attempts to deliver, each leap is longer."""

LOOK_SECONDS = 0.5

_LEASES_END = "UPDATE exchange_claims SET lease_until = now() WHERE state = 'claimed'"
"""Only calls that died hold these leases: everybody who lives has been answered."""

_WAITS_END = (
    "UPDATE item_products SET next_try_at = now() WHERE state = 'failing' AND next_try_at > now()",
    "UPDATE webhook_deliveries SET next_try_at = now() WHERE next_try_at > now()",
)
"""As if the waits of minutes were over that follow on failures in a row."""

_UNREST = """
    SELECT 'job ' || status || ' of ' || args::text AS what
    FROM procrastinate_jobs WHERE task_name = 'sync_item'
    UNION ALL SELECT 'run ' || status || ' of ' || item_id
    FROM sync_runs WHERE status IN ('queued', 'running')
    UNION ALL SELECT 'staging of ' || run_id FROM transaction_staging GROUP BY run_id
    UNION ALL SELECT concat_ws(' ', 'tag', state, error_code, 'due', next_try_at, 'of', item_id)
    FROM item_products
    WHERE state <> 'ready' OR error_code IS NOT NULL OR next_try_at IS NULL OR next_try_at <= now()
    UNION ALL SELECT concat_ws(' ', 'item', state, state_reason, item_id)
    FROM items WHERE state <> 'healthy'
    UNION ALL SELECT concat_ws(' ', 'delivery', webhook_code, 'of', item_id)
    FROM webhook_deliveries WHERE handled_at IS NULL AND item_id IN (SELECT item_id FROM items)
    UNION ALL SELECT 'claim ' || state FROM exchange_claims WHERE state <> 'done'
"""


def rest(town: Town, runtime: Runtime, bank: Running) -> None:
    """Wait until nothing is left to do: no job, no run, no staging, nobody unwell, nothing unheard."""
    query(runtime, _LEASES_END)
    deadline, leap_seconds = time.monotonic() + REST_SECONDS_MAX, FIRST_LEAP_SECONDS
    while unrest := _unrest(town, runtime, bank):
        assert time.monotonic() < deadline, f"no rest within {REST_SECONDS_MAX} s: {unrest}"
        _let_time_pass(runtime)
        if bank.control.webhook_states().get("waiting"):
            bank.control.advance(leap_seconds)
            leap_seconds = min(2 * leap_seconds, LONGEST_LEAP_SECONDS)
        time.sleep(LOOK_SECONDS)


def _unrest(town: Town, runtime: Runtime, bank: Running) -> list[str]:
    """Say what is not at rest yet."""
    if not town.is_up():
        return ["the service is not up"]
    undelivered = bank.control.webhook_states()
    waiting = undelivered.get("waiting", 0) + undelivered.get("held", 0)
    unrest = [f"{waiting} webhooks not delivered"] if waiting else []
    return unrest + [row.what for row in query(runtime, _UNREST)]


def _let_time_pass(runtime: Runtime) -> None:
    """Let what takes minutes come at once: our next tries, and the tick."""
    for statement in _WAITS_END:
        query(runtime, statement)
    tick_now(runtime)


def compare(town: Town, runtime: Runtime, bank: Running, linked: set[str]) -> int:
    """Compare everything with the bank's ledger; return how many transactions were equal."""
    held = {row.item_id for row in query(runtime, "SELECT item_id FROM items")}
    assert linked <= held, "an exchange was answered, and its Item is not there"
    for item_id in held:
        assert_equals_ledger(town.api, bank, item_id)
        _assert_accounts_equal(town, bank, item_id)
    _assert_deliveries_are_all_there(runtime, bank)
    ((living,),) = query(runtime, "SELECT count(*) FROM transactions WHERE removed_at IS NULL")
    theirs = [len(bank.control.ledger(item_id)["transactions"]) for item_id in held]
    assert living == sum(theirs)
    return sum(theirs)


def _assert_accounts_equal(town: Town, bank: Running, item_id: str) -> None:
    """The open accounts are listed with their balances, once each, and nothing else is."""
    ours = sorted(
        (each["account_id"], each["name"], each["mask"], each["balance"], each["available"])
        for each in town.api.accounts(item_id=item_id, user_id="*")
    )
    theirs = sorted(
        (each["account_id"], each["name"], each["mask"], *_balances(each))
        for each in bank.control.ledger(item_id)["accounts"]
    )
    assert ours == theirs


def _balances(account: dict[str, Any]) -> tuple[Any, Any]:
    return account["balances"]["current"], account["balances"]["available"]


def _assert_deliveries_are_all_there(runtime: Runtime, bank: Running) -> None:
    """What was answered with 200 is stored."""
    sent = [each for one in bank.control.webhooks(count=10_000) for each in one["attempts"]]
    taken = {_hash(each) for each in sent if each["status"] == 200}
    stored = {row.jwt_hash for row in query(runtime, "SELECT jwt_hash FROM webhook_deliveries")}
    assert taken <= stored


def _hash(attempt: dict[str, Any]) -> str:
    return hashlib.sha256(attempt["verification"].encode()).hexdigest()


def toll(runtime: Runtime) -> dict[str, int]:
    """Count the work that kills have hit: runs that were taken over, exchanges that another finished."""
    (row,) = query(
        runtime,
        "SELECT (SELECT count(*) FROM sync_runs) AS runs,"
        " (SELECT count(*) FROM sync_runs WHERE status = 'superseded') AS superseded,"
        " (SELECT count(*) FROM sync_runs WHERE trigger = 'takeover') AS taken_over,"
        " (SELECT count(*) FROM exchange_claims WHERE attempts > 1) AS exchanges_finished,"
        " (SELECT count(*) FROM webhook_deliveries) AS deliveries",
    )
    counts: dict[str, int] = row._asdict()
    return counts

"""Four worker processes beside each other: all the work is done, and none of it twice."""

from __future__ import annotations

import signal
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bankloom.core import clock
from bankloom.models import Chore
from bankloom.opening import open_runtime
from bankloom.services.rate_limits import Limit
from harness import settings_for, wait_until
from scenes import SYNC_PATH, background, holding, query
from workers import ask_for_run, jobs_of, runs, settle, store_item, tick_now, workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

WORKERS = 4
CONCURRENCY = 4  # of each, by default
SILENT_SECONDS = 3.0
CLIENT_LIMIT = 100
"""Calls a minute: 20 at once, and then one every 0.77 s."""

ON_THE_WAY_SECONDS = 2.0  # what the budget itself allows for a call to arrive late
TICKS_SEEN = """
    CREATE TABLE ticks_seen (timestamp text);
    CREATE FUNCTION see_tick() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO bankloom.ticks_seen VALUES (NEW.args->>'timestamp'); RETURN NULL; END
    $$;
    CREATE TRIGGER see_tick AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.task_name = 'ticks') EXECUTE FUNCTION see_tick();
"""

TICKED_TWICE = """
    SELECT timestamp FROM ticks_seen WHERE timestamp <> '0' -- which is that of `tick_now`
    GROUP BY timestamp HAVING count(*) > 1
"""


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    """A file of small limits."""
    path = tmp_path / "limits.toml"
    path.write_text(f'[sandbox]\n"{SYNC_PATH}" = {{ client = {CLIENT_LIMIT} }}')
    return path


@pytest.fixture
def parts(
    request: pytest.FixtureRequest, bank: Running, database_url: str, tmp_path: Path
) -> Iterator[Runtime]:
    """Parts under settings that give a silent worker up soon, with limits where the test wants them."""
    asked = "limits" in request.fixturenames
    settings = settings_for(
        bank.url,
        database_url,
        tmp_path / "data",
        worker_silent_seconds=SILENT_SECONDS,
        rate_limits=str(request.getfixturevalue("limits")) if asked else "off",
    )
    with closing(open_runtime(settings)) as runtime:
        yield runtime


def stored_items(parts: Runtime, bank: Running, count: int) -> list[str]:
    """Store so many Items that nothing is due for, with a transaction each."""
    items = [store_item(parts, bank) for _ in range(count)]
    for item_id in items:
        bank.control.changes(item_id, added=[{"amount": 1}])
    return items


def living(parts: Runtime) -> set[tuple[str, str]]:
    """Return (Item, transaction) of each that is shown."""
    rows = query(parts, "SELECT item_id, transaction_id FROM transactions WHERE removed_at IS NULL")
    return {(row.item_id, row.transaction_id) for row in rows}


def ledgers(bank: Running, items: list[str]) -> set[tuple[str, str]]:
    """Return what it should be."""
    return {
        (item_id, row["transaction_id"])
        for item_id in items
        for row in bank.control.ledger(item_id)["transactions"]
    }


def test_what_is_due_is_done_once(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """Items due at one moment, by a product or to be looked at, have a run each; each tick comes once."""
    by_tag, by_check = stored_items(parts, bank, 16), stored_items(parts, bank, 16)
    query(parts, TICKS_SEEN)
    bank.control.forget_calls()
    with workers(parts, tmp_path, WORKERS):
        query(
            parts,
            "UPDATE item_products SET next_try_at = now() WHERE item_id = ANY(:items)",
            items=by_tag,
        )
        query(
            parts, "UPDATE items SET check_at = now() WHERE item_id = ANY(:items)", items=by_check
        )
        wait_until(lambda: all(runs(parts, item_id) for item_id in [*by_tag, *by_check]))
        settle(parts)
        wait_until(lambda: len(query(parts, "SELECT DISTINCT timestamp FROM ticks_seen")) >= 2)
        tick_now(parts)
        settle(parts)
    assert [runs(parts, item_id) for item_id in by_tag] == [["synced"]] * 16
    assert [runs(parts, item_id) for item_id in by_check] == [["up_to_date"]] * 16
    assert sorted(call["item_id"] for call in bank.control.calls(SYNC_PATH)) == sorted(by_tag)
    looked_at = [call["item_id"] for call in bank.control.calls("/item/get")]
    assert sorted(looked_at) == sorted([*by_tag, *by_check])
    assert query(parts, TICKED_TWICE) == []


def test_a_change_is_pulled_once(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """However many ask at once, from all sides: one run for all that came before it began."""
    items = stored_items(parts, bank, 16)
    with workers(parts, tmp_path, WORKERS), holding(bank, SYNC_PATH, times=16) as hold:
        for item_id in items:
            ask_for_run(parts, item_id)
        hold.reached(16)
        with background() as start:
            for asked in [start(ask_for_run, parts, each) for _ in range(10) for each in items]:
                asked.result()
        hold.release()
        settle(parts)
    assert [runs(parts, item_id) for item_id in items] == [["synced", "up_to_date"]] * 16
    assert len(bank.control.calls(SYNC_PATH)) == 2 * 16
    assert living(parts) == ledgers(bank, items)


def test_a_chore_is_one_workers(parts: Runtime) -> None:
    """Of many that find it due at the same moment one does it."""

    def claim() -> bool:
        with parts.database.session() as session:
            return Chore.claim(session, "a chore", clock.now(), timedelta(hours=1))

    with background() as start:
        claims = [start(claim) for _ in range(20)]
        assert sorted(each.result() for each in claims) == [False] * 19 + [True]


@pytest.mark.usefixtures("limits")
def test_all_together_keep_within_the_budget(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """Twice as many runs as may ask Plaid at once: the others come later, in turn, and none fails."""
    items = stored_items(parts, bank, 2 * Limit(CLIENT_LIMIT).burst)
    with workers(parts, tmp_path, WORKERS):
        bank.control.forget_calls()
        for item_id in items:
            ask_for_run(parts, item_id)
        wait_until(lambda: len(living(parts)) == len(items), 100)
        settle(parts)
    calls = bank.control.calls(SYNC_PATH)
    assert sorted(call["item_id"] for call in calls) == sorted(items)
    assert_kept_within(Limit(CLIENT_LIMIT), [call["monotonic_seconds"] for call in calls])
    assert {status for each in items for status in runs(parts, each)} <= {"synced", "superseded"}
    assert {runs(parts, item_id)[-1] for item_id in items} == {"synced"}


def assert_kept_within(limit: Limit, times: list[float]) -> None:
    """No stretch of time, however short or long, holds more calls than the limit lets out in it."""
    for first, begin in enumerate(times):
        for last, end in enumerate(times[first:], first):
            regained = (end - begin + ON_THE_WAY_SECONDS) / limit.step_seconds
            assert last - first + 1 <= limit.burst + regained


def test_the_last_worker_does_the_work_of_all(
    parts: Runtime, bank: Running, tmp_path: Path
) -> None:
    """One stopped, one killed, one frozen, each with work in hand: the fourth does it, and it stays so."""
    items = stored_items(parts, bank, WORKERS * CONCURRENCY)
    with workers(parts, tmp_path, WORKERS) as (stopped, killed, frozen, _):
        with holding(bank, SYNC_PATH, times=len(items)) as hold:
            for item_id in items:
                ask_for_run(parts, item_id)
            hold.reached(len(items))
            assert len({job.worker_id for job in jobs_of(parts, "doing")}) == WORKERS
            frozen.tell(signal.SIGSTOP)
            killed.end(signal.SIGKILL)
            assert stopped.end(signal.SIGTERM) == 0
        wait_until(lambda: len(living(parts)) == len(items))
        settle(parts)
        for item_id in items:
            bank.control.changes(item_id, added=[{"amount": 2}])
            ask_for_run(parts, item_id)
        settle(parts)
        after = living(parts), [runs(parts, item_id) for item_id in items]
        assert after[0] == ledgers(bank, items)
        frozen.tell(signal.SIGCONT)
        wait_until(lambda: frozen.log.read_text().count("handed over") == CONCURRENCY)
        settle(parts)
        assert after == (living(parts), [runs(parts, item_id) for item_id in items])
    superseded = [statuses.count("superseded") for statuses in after[1]]
    assert sorted(superseded) == [0] * CONCURRENCY + [1] * (len(items) - CONCURRENCY)
    assert all(statuses.count("synced") == 2 for statuses in after[1])

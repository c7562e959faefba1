"""Worker processes: killed, frozen or asked to leave, they lose nothing and double nothing."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bankloom.opening import open_runtime
from harness import settings_for, wait_until
from scenes import SYNC_PATH, holding, query
from workers import (
    QUEUES,
    ask_for_run,
    jobs_of,
    registered,
    runs,
    settle,
    store_item,
    tick_now,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

SILENT_SECONDS = 3.0
NOTED = "SELECT 1 FROM transaction_staging"


@pytest.fixture
def parts(bank: Running, database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """Parts under settings that give a silent worker up soon."""
    settings = settings_for(
        bank.url, database_url, tmp_path / "data", worker_silent_seconds=SILENT_SECONDS
    )
    with closing(open_runtime(settings)) as runtime:
        yield runtime


def stored(parts: Runtime) -> dict[str, str]:
    sql = "SELECT transaction_id, amount::text FROM transactions WHERE removed_at IS NULL"
    return {row.transaction_id: row.amount for row in query(parts, sql)}


def ledger(bank: Running, item_id: str) -> set[str]:
    return {row["transaction_id"] for row in bank.control.ledger(item_id)["transactions"]}


def silent_job(parts: Runtime) -> bool:
    """Say whether a job's worker has been silent long enough to be taken over."""
    sql = """
        SELECT 1 FROM procrastinate_jobs j JOIN procrastinate_workers w ON w.id = j.worker_id
        WHERE j.status = 'doing' AND j.task_name = 'sync_item'
          AND w.last_heartbeat < now() - make_interval(secs => :seconds)
    """
    return bool(query(parts, sql, seconds=SILENT_SECONDS))


def test_a_killed_workers_item_is_taken_over(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """Kill -9 between two pages: another worker does the Item's work, once, whoever waits already."""
    item_id = store_item(parts, bank)
    bank.control.bulk(item_id, 1200)
    with holding(bank, SYNC_PATH, after=2) as hold, workers(parts, tmp_path, 1) as (victim,):
        ask_for_run(parts, item_id)
        hold.reached()
        wait_until(lambda: query(parts, NOTED))
        ask_for_run(parts, item_id)
        victim.end(signal.SIGKILL)
    assert [job.status for job in jobs_of(parts)] == ["doing", "todo"]
    with workers(parts, tmp_path, 1):
        wait_until(lambda: silent_job(parts) or not jobs_of(parts, "doing"))
        tick_now(parts)
        settle(parts)
        tick_now(parts)
        wait_until(lambda: not query(parts, NOTED))
    assert stored(parts).keys() == ledger(bank, item_id)
    assert runs(parts, item_id)[0] == "superseded"
    assert runs(parts, item_id)[1] == "synced"
    assert set(runs(parts, item_id)[2:]) <= {"up_to_date"}
    assert query(parts, "SELECT pages FROM sync_runs WHERE status = 'synced'")[0].pages == 3


def test_a_frozen_worker_changes_nothing_afterwards(
    parts: Runtime, bank: Running, tmp_path: Path
) -> None:
    """Woken after another has taken its work over, a suspended worker discards what it holds."""
    item_id = store_item(parts, bank)
    (old,) = bank.control.changes(item_id, added=[{"amount": 1}])["added"]
    with (
        holding(bank, SYNC_PATH) as hold,
        workers(parts, tmp_path, 1) as (frozen,),
    ):
        ask_for_run(parts, item_id)
        hold.reached()
        frozen.tell(signal.SIGSTOP)
        (tmp_path / "second").mkdir()
        with workers(parts, tmp_path / "second", 1):
            wait_until(lambda: silent_job(parts) or not jobs_of(parts, "doing"))
            tick_now(parts)
            settle(parts)
            bank.control.changes(item_id, removed=[old], added=[{"amount": 2}])
            ask_for_run(parts, item_id)
            settle(parts)
            before, ended = stored(parts), runs(parts, item_id)
            assert before.keys() == ledger(bank, item_id)
            hold.release()
            frozen.tell(signal.SIGCONT)
            wait_until(lambda: "handed over" in frozen.log.read_text())
            assert (stored(parts), runs(parts, item_id)) == (before, ended)
            wait_until(lambda: len(registered(parts)) == 2 * QUEUES)
            ask_for_run(parts, item_id)
            settle(parts)
    assert stored(parts) == before
    assert not query(parts, NOTED)


def test_a_worker_leaves_in_time(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """SIGTERM while Plaid is silent: gone within 10 s, and the next worker does the work at once."""
    item_id = store_item(parts, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    with holding(bank, SYNC_PATH) as hold, workers(parts, tmp_path, 1) as (leaver,):
        ask_for_run(parts, item_id)
        hold.reached()
        started = time.monotonic()
        assert leaver.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 10
        hold.release()
    with workers(parts, tmp_path, 1):
        wait_until(lambda: silent_job(parts) or not jobs_of(parts, "doing"))
        tick_now(parts)
        wait_until(lambda: stored(parts))
        settle(parts)
    assert stored(parts).keys() == ledger(bank, item_id)


def test_an_idle_worker_leaves_at_once(parts: Runtime, tmp_path: Path) -> None:
    """Without work, SIGTERM and SIGINT end a worker within moments, with code 0, unregistered."""
    with workers(parts, tmp_path, 2) as (first, second):
        assert first.end(signal.SIGTERM, seconds=5) == 0
        assert second.end(signal.SIGINT, seconds=5) == 0
    assert registered(parts) == set()
    assert "Traceback" not in first.log.read_text() + second.log.read_text()


def test_two_workers_share_the_work(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """Every Item is run exactly once, by one or the other."""
    items = [store_item(parts, bank) for _ in range(12)]
    for item_id in items:
        bank.control.changes(item_id, added=[{"amount": 1}])
    with workers(parts, tmp_path, 2) as both, holding(bank, SYNC_PATH, times=8) as hold:
        for item_id in items:
            ask_for_run(parts, item_id)
        hold.reached(8)  # four each: neither could do it alone
        assert len({job.worker_id for job in jobs_of(parts, "doing")}) == len(both)
        hold.release()
        settle(parts)
    assert [runs(parts, item_id) for item_id in items] == [["synced"]] * 12
    assert len(bank.control.calls(SYNC_PATH)) == 12
    assert len(stored(parts)) == 12


def test_a_worker_is_as_wide_as_it_is_told(parts: Runtime, bank: Running, tmp_path: Path) -> None:
    """`--concurrency` says how many Items one worker syncs at once, whatever the setting says."""
    wide = parts.settings.worker_concurrency + 2
    items = [store_item(parts, bank) for _ in range(wide)]
    with (
        holding(bank, SYNC_PATH, times=0) as hold,
        workers(parts, tmp_path, 1, "--concurrency", str(wide)),
    ):
        for item_id in items:
            ask_for_run(parts, item_id)
        hold.reached(wide)
        hold.release()
        settle(parts)

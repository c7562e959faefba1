"""The tick and the worker: what is due is run, what broke is taken over, nothing is left lying about."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import SyncRun
from bankloom.services import tasks, tick
from harness import serving, settings_for, wait_until
from scenes import EXCHANGE_PATH, SYNC_PATH, exchange, holding, newcomer, person, query
from workers import (
    QUEUES,
    ask_for_run,
    jobs_of,
    leave_behind,
    registered,
    runs,
    settle,
    store_item,
    tick_now,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

STAGE = """
    INSERT INTO transaction_staging (run_id, page, row, op, transaction_id, account_id)
    VALUES (:run_id, 0, 0, 2, 't', 'a')
"""


def test_due_items_are_queued_once(parts: Runtime, bank: Running) -> None:
    """Each Item with a due tag gets one job, however many ticks pass before a worker is free."""
    due, later, never = (store_item(parts, bank) for _ in range(3))
    at = clock.now()
    set_due = "UPDATE item_products SET next_try_at = :at WHERE item_id = :item_id"
    query(parts, set_due, at=at - timedelta(seconds=1), item_id=due)
    query(parts, set_due, at=at + timedelta(minutes=1), item_id=later)
    for _ in range(3):
        tick.now(parts, [])
    assert [job.lock for job in jobs_of(parts)] == [due]
    assert never != due


def test_what_has_served_its_time_is_forgotten_by_the_tick(
    database_url: str, bank: Running, tmp_path: Path
) -> None:
    """Runs and deliveries, as long after their end as the setting says."""
    settings = settings_for(bank.url, database_url, tmp_path / "data", retention_days=3)
    with serving(settings, with_worker=False) as (_, runtime):
        item_id = store_item(runtime, bank)
        for days in (2, 4):
            query(runtime, _ENDED_RUN, item_id=item_id, days=days)
            query(runtime, _HANDLED, days=days)
        query(runtime, "DELETE FROM chores")
        tick.now(runtime, [])
        assert [row.days for row in query(runtime, _RUNS_LEFT)] == [2]
        assert [row.days for row in query(runtime, _DELIVERIES_LEFT)] == [2]


_ENDED_RUN = """
    INSERT INTO sync_runs (item_id, status, trigger, requested_at, finished_at)
    SELECT :item_id, 'synced', 'schedule', at, at FROM (SELECT now() - make_interval(days => :days) AS at) a
"""
_RUNS_LEFT = "SELECT extract(day FROM now() - finished_at)::int AS days FROM sync_runs"
_DELIVERIES_LEFT = (
    "SELECT extract(day FROM now() - handled_at)::int AS days FROM webhook_deliveries"
)
_HANDLED = """
    INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type,
        webhook_code, body_sealed, handled_at)
    SELECT 'h' || :days, 'k', at, at, 'T', 'C', 's', at
    FROM (SELECT now() - make_interval(days => :days) AS at) a
"""


def test_leftover_staging_is_swept(parts: Runtime, bank: Running) -> None:
    """What runs left behind that are over goes; what a run has staged that goes on stays."""
    item_id = store_item(parts, bank)
    with parts.database.session() as session:
        running = SyncRun.begin(session, item_id, clock.now()).id
    for run_id in (running, uuid.uuid4()):
        query(parts, STAGE, run_id=run_id)
    tick.now(parts, [])
    assert [row.run_id for row in query(parts, "SELECT run_id FROM transaction_staging")] == [
        running
    ]


def test_a_row_whose_worker_is_gone_is_taken_over(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A job that no worker holds any more does not lock its Item for ever, whoever waits behind it."""
    assert api is not None
    item_id = store_item(runtime, bank)
    leave_behind(runtime, item_id, worker_id=None)
    ask_for_run(runtime, item_id)
    tick_now(runtime)
    settle(runtime)
    assert "queued" not in runs(runtime, item_id)
    assert len(bank.control.calls(SYNC_PATH)) == 1


def test_a_row_that_a_living_worker_lost_is_reaped(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A worker that lives but whose job's end was lost with a connection keeps no Item locked."""
    assert api is not None
    item_id = store_item(runtime, bank)
    wait_until(lambda: len(registered(runtime)) == QUEUES)
    worker_id = max(registered(runtime))
    leave_behind(runtime, item_id, worker_id)
    ask_for_run(runtime, item_id)
    tick_now(runtime)
    settle(runtime)
    assert "queued" not in runs(runtime, item_id)


def test_a_hanging_exchange_does_not_hold_the_tick_up(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """While a cut-off exchange waits for Plaid, what falls due is run all the same."""
    item_id = store_item(runtime, bank)
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    assert exchange(api, newcomer(api, bank, **person()).public_token).status_code == 502
    with holding(bank, EXCHANGE_PATH) as hold:
        hold.reached()
        query(runtime, "UPDATE item_products SET next_try_at = now()")
        wait_until(lambda: runs(runtime, item_id))
        settle(runtime)
    wait_until(lambda: query(runtime, "SELECT state FROM exchange_claims") == [("done",)])


def test_a_chore_that_fails_leaves_the_others_to_be_done(parts: Runtime, bank: Running) -> None:
    """What is due is queued even where something else of the tick is broken."""
    item_id = store_item(parts, bank)
    query(parts, "UPDATE item_products SET next_try_at = now()")
    query(parts, "ALTER TABLE procrastinate_events RENAME TO broken")
    tick.now(parts, [])
    query(parts, "ALTER TABLE broken RENAME TO procrastinate_events")
    query(parts, "DROP TABLE transaction_staging")
    tick.now(parts, [])
    assert [job.lock for job in jobs_of(parts)] == [item_id]


def test_finished_jobs_leave_no_rows(api: Api, runtime: Runtime, bank: Running) -> None:
    """The engine's table holds what waits and runs, not what is over."""
    assert api is not None
    item_id = store_item(runtime, bank)
    for _ in range(3):
        ask_for_run(runtime, item_id)
        settle(runtime)
    tick_now(runtime)
    wait_until(lambda: not query(runtime, "SELECT 1 FROM procrastinate_jobs"))
    assert runs(runtime, item_id) == ["synced"] or set(runs(runtime, item_id)) == {"up_to_date"}


def test_items_run_side_by_side(bank: Running, database_url: str, tmp_path: Path) -> None:
    """As many Items are synced at the same time as the setting says, however few cores there are."""
    settings = settings_for(bank.url, database_url, tmp_path, worker_concurrency=12)
    with serving(settings) as (_, runtime), holding(bank, SYNC_PATH, times=0) as hold:
        for _ in range(12):
            ask_for_run(runtime, store_item(runtime, bank))
        hold.reached(12)
        hold.release()
        settle(runtime)


def test_a_soon_due_item_does_not_wait_for_the_tick(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """While Plaid is not ready it is asked after 2 and then 5 seconds, which two ticks can't do."""
    new = newcomer(api, bank, **person())
    bank.control.readiness(new.item_id, "NOT_READY")
    started = time.monotonic()
    assert exchange(api, new.public_token).is_success
    wait_until(lambda: len(bank.control.calls(SYNC_PATH)) >= 3)
    assert 7 <= time.monotonic() - started < 2 + tasks.TICK_SECONDS
    settle(runtime)


def test_a_pruned_worker_registers_anew(api: Api, runtime: Runtime, bank: Running) -> None:
    """Whoever lost its row (a suspended laptop) is back soon."""
    wait_until(lambda: len(registered(runtime)) == QUEUES)
    known = registered(runtime)
    item_id = store_item(runtime, bank)
    query(runtime, "DELETE FROM procrastinate_workers")
    ask_for_run(runtime, item_id)
    wait_until(lambda: len(registered(runtime) - known) == QUEUES)
    assert api.get("/readyz").status_code == 200
    settle(runtime)
    assert runs(runtime, item_id)[-1] in {"synced", "up_to_date"}


def test_without_a_worker_nothing_is_ready(settings: Settings) -> None:
    """/readyz says when no worker lives, while /healthz says that the service answers."""
    with serving(settings, with_worker=False) as (api, _):
        assert api.get("/readyz").status_code == 503
        assert api.get("/healthz").status_code == 200


def test_a_wake_up_after_the_end_does_nothing(parts: Runtime) -> None:
    """A wake-up that falls due while its worker leaves touches no database any more."""
    asked: list[None] = []

    def leaving() -> bool:
        asked.append(None)
        return True

    tasks.wake_soon(parts, "item", clock.now(), leaving)
    wait_until(lambda: asked)
    assert jobs_of(parts) == []

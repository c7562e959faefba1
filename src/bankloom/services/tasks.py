"""The engine's tasks: `sync_item`, and the tick that finds what is due and mends what broke."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import procrastinate
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.models import (
    ExchangeClaim,
    Item,
    ItemProduct,
    LinkSession,
    SyncRun,
    transaction_staging,
)
from bankloom.services import end_lost_jobs, finish_exchanges, jobs, sync_item

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from procrastinate import JobContext
    from procrastinate.jobs import Job
    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

TICK_SECONDS = 15
RUNS_KEPT = timedelta(days=30)
DUE_ITEMS_MAX = 500
"""How many Items one tick queues: the rest is due at the next one, which spreads a burst over time."""
_TICKS_LOCK = 0x7469636B73
"""The key of an advisory lock: "ticks"."""


def engine(connector: procrastinate.PsycopgConnector) -> procrastinate.App:
    """Return the job engine with its two tasks, over these connections."""
    app = procrastinate.App(connector=connector)
    app.task(name=jobs.SYNC_ITEM, queue=jobs.ITEMS_QUEUE, pass_context=True)(run_item)
    on_tick = app.task(name="tick", queue=jobs.TICKS_QUEUE, queueing_lock="tick", pass_context=True)
    app.periodic(cron=f"* * * * * */{TICK_SECONDS}")(on_tick(tick))
    return app


def run_item(context: JobContext, item_id: str) -> None:
    """Bring every due product of the Item up to date."""
    runtime = runtime_of(context)
    should_stop = context.additional_context["should_stop"]
    wake_soon(runtime, item_id, sync_item.now(runtime, item_id, should_stop), should_stop)


async def tick(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the engine gives it
    """Queue what is due, take over from dead workers, finish cut-off exchanges, sweep staging."""
    runtime = runtime_of(context)
    silent = runtime.settings.worker_silent_seconds
    for job in await context.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=silent):
        await asyncio.to_thread(take_over, runtime, job)
    await asyncio.to_thread(end_lost_jobs.now, runtime)
    await asyncio.to_thread(housekeeping, runtime)


def housekeeping(runtime: Runtime) -> None:
    """Queue the Items that are due; then what can wait: leftovers, and cut-off exchanges."""
    at = clock.now()
    with runtime.database.session() as session:
        _wait_for_other_ticks(session)
        for item_id in ItemProduct.due_items(session, at, DUE_ITEMS_MAX):
            jobs.later(session, item_id)
    with runtime.database.session() as session:
        _wait_for_other_ticks(session)
        transaction_staging.sweep(session)
        LinkSession.wipe_old(session, at)
        SyncRun.forget_old(session, at - RUNS_KEPT)
        ExchangeClaim.wipe_old(session, at)
    finish_exchanges.now(runtime)


def _wait_for_other_ticks(session: Session) -> None:
    """Let one tick's commit at a time lock many rows: two could meet them in different orders."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TICKS_LOCK})


def take_over(runtime: Runtime, job: Job) -> None:
    """End the job whose worker died, and in the same commit ask for a new run of its Item.

    The job is never put back: that would fail on the unique queueing lock if another waits
    already, and the one that waits does the same work.
    """
    item_id = str(job.task_kwargs.get("item_id")) if job.task_name == jobs.SYNC_ITEM else ""
    with runtime.database.session() as session:
        item = Item.lock(session, item_id)  # first: who waits for an Item must not hold jobs
        if jobs.end_lost(session, job.id) and item is not None:
            log.warning("Item %s: its worker fell silent, another takes over", item_id)
            sync_item.request(session, item_id, "takeover")


def wake_soon(
    runtime: Runtime, item_id: str, due_at: datetime | None, should_stop: Callable[[], bool]
) -> None:
    """Wake the engine for an Item that is due before the next tick; if this is lost, the tick does."""
    if due_at is None:
        return
    seconds = (due_at - clock.now()).total_seconds()
    if seconds < TICK_SECONDS:
        timer = threading.Timer(max(seconds, 0), _wake, (runtime, item_id, should_stop))
        timer.daemon = True
        timer.start()


def _wake(runtime: Runtime, item_id: str, should_stop: Callable[[], bool]) -> None:
    """Queue the Item, unless the worker has left: a closed database must not be opened again."""
    if should_stop():
        return
    try:
        with runtime.database.session() as session:
            jobs.later(session, item_id)
    except SQLAlchemyError as error:
        log.warning("Item %s was not woken, the tick will do it: %s", item_id, error)


def runtime_of(context: JobContext) -> Runtime:
    """Return the runtime that the worker was started with."""
    runtime: Runtime = context.additional_context["runtime"]
    return runtime

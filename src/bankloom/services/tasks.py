"""The engine's tasks: an Item's run, the tick, and the exchanges that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from typing import TYPE_CHECKING

import procrastinate
from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.services import finish_exchanges, jobs, poll_sessions, sync_item, tick
from bankloom.services.erasures import finish_erasures, revoked
from bankloom.services.webhooks import link_deliveries

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from procrastinate import JobContext

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

TICK_SECONDS = 15
TURN_SECONDS = 30.0
"""After this a turn of the exchanges begins nothing: what came in since is then waited for no longer
than this and Plaid's slowest answers, minutes before a public token of 30 minutes dies of it."""

CHORES = (
    finish_exchanges.now,
    link_deliveries.now,
    poll_sessions.now,
    finish_erasures.now,
    revoked.now,
)


def engine(connector: procrastinate.PsycopgConnector) -> procrastinate.App:
    """Return the job engine with its tasks, over these connections."""
    app = procrastinate.App(connector=connector)
    app.task(name=jobs.SYNC_ITEM, queue=jobs.ITEMS_QUEUE, pass_context=True)(run_item)
    for queue, chore in ((jobs.TICKS_QUEUE, on_tick), (jobs.EXCHANGES_QUEUE, on_exchanges)):
        task = app.task(name=queue, queue=queue, queueing_lock=queue, pass_context=True)(chore)
        app.periodic(cron=f"* * * * * */{TICK_SECONDS}")(task)
    return app


def run_item(context: JobContext, item_id: str) -> None:
    """Bring every due product of the Item up to date."""
    runtime = runtime_of(context)
    should_stop = context.additional_context["should_stop"]
    wake_soon(runtime, item_id, sync_item.now(runtime, item_id, should_stop), should_stop)


async def on_tick(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the engine gives it
    """Do the tick's chores."""
    runtime = runtime_of(context)
    silent_seconds = runtime.settings.worker_silent_seconds
    manager = context.app.job_manager
    silent = await manager.get_stalled_jobs(seconds_since_heartbeat=silent_seconds)
    await asyncio.to_thread(tick.now, runtime, list(silent))


def on_exchanges(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - as above
    """Finish the exchanges that were cut off, the Link sessions that nobody calls back for, the erasures.

    One that fails leaves the others to be done, and is tried again at the next turn. Chance says
    which is first: one that takes its whole turn, again and again, must not starve the others.
    """
    runtime = runtime_of(context)
    leaves = context.additional_context["should_stop"]
    ends_at = time.monotonic() + TURN_SECONDS
    for chore in random.sample(CHORES, len(CHORES)):
        try:
            chore(runtime, lambda: leaves() or time.monotonic() >= ends_at)
        except Exception:
            log.exception("A chore of the exchanges failed; the next turn tries it again")


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

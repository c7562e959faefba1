"""The tick: queues what is due, takes over from dead workers, sweeps. Whatever was missed, it mends."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeVarTuple

from sqlalchemy import text

from bankloom.core import clock
from bankloom.models import (
    ExchangeClaim,
    Item,
    ItemProduct,
    LinkSession,
    SyncRun,
    transaction_staging,
)
from bankloom.services import end_lost_jobs, jobs, prune, request_run, seal_audit
from bankloom.services.webhooks import actions as webhook_actions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procrastinate.jobs import Job
    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

Args = TypeVarTuple("Args")

DUE_ITEMS_MAX = 500
"""How many Items one tick queues: the rest is due at the next one, which spreads a burst over time."""
_TICKS_LOCK = 0x7469636B73
"""The key of an advisory lock: "ticks"."""


def now(runtime: Runtime, silent: Sequence[Job]) -> None:
    """Do every chore; one that fails leaves the others to be done, and is tried at the next tick."""
    for job in silent:
        _try(take_over, runtime, job)
    for chore in (
        end_lost_jobs.now,
        queue_due,
        webhook_actions.retry_due,
        sweep,
        prune.now,
        seal_audit.now,
    ):
        _try(chore, runtime)


def _try(chore: Callable[[*Args], None], *args: *Args) -> None:
    try:
        chore(*args)
    except Exception:  # whatever it was: a broken chore must not keep what is due from being queued
        log.exception("A chore of the tick failed; the next tick tries it again")


def queue_due(runtime: Runtime) -> None:
    """Queue the Items that somebody waits for, that have a product due, or are to be looked at.

    In turn, so that none of the three keeps the others waiting where there are many.
    """
    with runtime.database.session() as session:
        _wait_for_other_ticks(session)
        at = clock.now()
        waiting = SyncRun.waiting_items(session, at, DUE_ITEMS_MAX)
        tags = ItemProduct.due_items(session, at, DUE_ITEMS_MAX)
        checks = Item.due_checks(session, at, DUE_ITEMS_MAX)
        in_turn = chain.from_iterable(zip_longest(waiting, tags, checks))
        for item_id in list(dict.fromkeys(filter(None, in_turn)))[:DUE_ITEMS_MAX]:
            jobs.later(session, item_id)


def sweep(runtime: Runtime) -> None:
    """Delete what is left over, and what has served its time."""
    at = clock.now()
    with runtime.database.session() as session:
        _wait_for_other_ticks(session)
        transaction_staging.sweep(session)
        LinkSession.wipe_old(session, at)
        SyncRun.forget_old(session, at - timedelta(days=runtime.settings.retention_days))
        ExchangeClaim.wipe_old(session, at)


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
            request_run.request(session, item_id, "takeover")

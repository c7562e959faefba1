"""The binding to the job engine: `later` wakes it for an Item. What is due lives in our tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from sqlalchemy import text

from bankloom.core.errors import DatabaseLostError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_engine = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
"""Never opened: it only writes jobs over our own sessions' connections."""

SYNC_ITEM = "sync_item"
ITEMS_QUEUE = "items"
TICKS_QUEUE = "ticks"
EXCHANGES_QUEUE = "exchanges"
"""Queues and slots of their own: neither slow Items nor a hanging exchange hold the tick up."""


def a_worker_lives(session: Session, silent_seconds: float) -> bool:
    """Say whether some worker, of whatever process, has given a sign of life lately."""
    alive = text(
        "SELECT EXISTS (SELECT FROM procrastinate_workers "
        "WHERE last_heartbeat > now() - make_interval(secs => :silent_seconds))"
    )
    return bool(session.execute(alive, {"silent_seconds": silent_seconds}).scalar_one())


def tally(session: Session) -> dict[tuple[str, ...], float]:
    """Count the jobs that wait and those that run, by queue and state; what has ended is deleted."""
    counted = text(
        "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
    )
    queues = (ITEMS_QUEUE, TICKS_QUEUE, EXCHANGES_QUEUE)
    none = {(queue, state): 0.0 for queue in queues for state in ("todo", "doing")}
    return none | {(queue, state): number for queue, state, number in session.execute(counted)}


def end_lost(session: Session, job_id: int | None) -> bool:
    """End a job whose worker can't, in this session's commit; say whether it was still to be ended.

    False where another tick is ending it, or its own worker, which lives after all.
    """
    ended = session.execute(_END_LOST, {"job_id": job_id})
    return ended.scalar_one_or_none() is not None


_END_LOST = text("""
    DELETE FROM procrastinate_jobs WHERE id = (
        SELECT id FROM procrastinate_jobs
        WHERE id = :job_id AND status = 'doing' FOR UPDATE SKIP LOCKED
    )
    RETURNING id
""")


def later(session: Session, item_id: str) -> None:
    """Queue a run of the Item in this session's commit, unless one is waiting already.

    A job that waits has not read anything yet, so it does this work too.
    """
    _defer(session, SYNC_ITEM, ITEMS_QUEUE, item_id, lock=item_id, args={"item_id": item_id})


def exchanges_later(session: Session) -> None:
    """Queue the exchanges in this session's commit, unless they are waiting already."""
    _defer(session, EXCHANGES_QUEUE, EXCHANGES_QUEUE, EXCHANGES_QUEUE, args={"timestamp": 0})


def _defer(  # noqa: PLR0913 - what the engine's own call takes
    session: Session,
    task: str,
    queue: str,
    queueing_lock: str,
    *,
    args: dict[str, Any],
    lock: str | None = None,
) -> None:
    """Queue a job, unless one with its queueing lock waits.

    The savepoint is needed because the engine's refusal would otherwise abort the whole commit.
    """
    connection = session.connection()
    deferrer = _engine.configure_task(
        task,
        queue=queue,
        lock=lock,
        queueing_lock=queueing_lock,
        connection=connection.connection.driver_connection,
    )
    try:
        with connection.begin_nested():
            deferrer.defer(**args)
    except AlreadyEnqueued:
        return
    except ConnectorException as error:
        raise DatabaseLostError from error

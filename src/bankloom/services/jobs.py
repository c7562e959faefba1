"""The binding to the job engine: `later` wakes it for an Item. What is due lives in our tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

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


def forget(session: Session, item_id: str) -> None:
    """Take back, in this session's commit, the job that waits for the Item; one that runs finds it gone."""
    session.execute(_FORGET, {"item_id": item_id})


_FORGET = text("""
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT id FROM procrastinate_jobs
        WHERE queueing_lock = :item_id AND status = 'todo' FOR UPDATE SKIP LOCKED
    )
""")


def later(session: Session, item_id: str) -> None:
    """Queue a run of the Item in this session's commit, unless one is waiting already.

    A job that waits has not read anything yet, so it does this work too.
    """
    job = {"task": SYNC_ITEM, "queue": ITEMS_QUEUE, "only_one": item_id, "one_at_a_time": item_id}
    session.execute(_DEFER, {**job, "args": json.dumps({"item_id": item_id})})


def turn_later(session: Session, queue: str) -> None:
    """Queue a turn of the ticks or the exchanges in this session's commit, unless one is waiting."""
    job = {"task": queue, "queue": queue, "only_one": queue, "one_at_a_time": None}
    session.execute(_DEFER, {**job, "args": json.dumps({"timestamp": 0})})


_DEFER = text(
    "SELECT bankloom.defer_unless_waiting("
    ":task, :queue, :only_one, :one_at_a_time, CAST(:args AS jsonb))"
)

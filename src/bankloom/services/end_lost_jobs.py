"""Ends the jobs that are over though nobody noted it: their rows would lock their Items for ever."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.services import jobs

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

BEGIN_SECONDS_MAX = 60
"""Longer than a job takes until its run has begun, and from the run's end to its own."""

_LOST = text("""
    SELECT j.id, j.args->>'item_id' AS item_id
    FROM procrastinate_jobs j
    JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'started'
    WHERE j.status = 'doing' AND j.task_name = :task
      AND e.at < now() - make_interval(secs => :seconds)
      AND NOT EXISTS (
        SELECT FROM sync_runs r
        WHERE r.item_id = j.args->>'item_id'
          AND (r.status = 'running' OR r.finished_at > now() - make_interval(secs => :seconds))
      )
""")


def now(runtime: Runtime) -> None:
    """End each job that began long ago and whose Item has no run.

    Its end was lost with a database connection while its worker lives on; the engine itself looks
    for silent workers only.
    """
    with runtime.database.session() as session:
        lost = session.execute(_LOST, {"task": jobs.SYNC_ITEM, "seconds": BEGIN_SECONDS_MAX})
        for row in lost.all():
            if jobs.end_lost(session, row.id):
                log.warning("Item %s: its last job had no end, and has one now", row.item_id)

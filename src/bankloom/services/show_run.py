"""Waits for a run and tells how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import Item, RunStatus, SyncRun

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from bankloom.services.runtime import Runtime

FIRST_POLL_SECONDS = 0.02
LONGEST_POLL_SECONDS = 0.5


def run_now(runtime: Runtime, run_id: uuid.UUID) -> SyncRun:
    """Return the run as it stands, or the one that took its place. Errors: `NotFoundError`."""
    with runtime.database.session() as session:
        run = SyncRun.latest_form(session, run_id)
    if run is None:
        raise NotFoundError("There is no run of that id.")
    return run


async def wait_for_run(runtime: Runtime, run_id: uuid.UUID, seconds_max: float) -> SyncRun:
    """Return the run once it has ended or is known to begin later, or as it stands in the end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    pause = FIRST_POLL_SECONDS
    while True:
        run = await asyncio.to_thread(run_now, runtime, run_id)
        left = deadline - loop.time()
        if has_ended(run) or left <= 0:
            return run
        if await asyncio.to_thread(begins_at, runtime, run):
            return run
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def begins_at(runtime: Runtime, run: SyncRun) -> datetime | None:
    """Return when a queued run may begin whose Item Plaid is not to be asked about yet; else None."""
    if run.status != RunStatus.QUEUED:
        return None
    with runtime.database.session() as session:
        item = Item.find(session, run.item_id)
    until = item and item.cooling_until
    return until if until and until > clock.now() else None


def has_ended(run: SyncRun) -> bool:
    """Say whether nothing more will happen to the run."""
    return run.status not in {RunStatus.QUEUED, RunStatus.RUNNING}

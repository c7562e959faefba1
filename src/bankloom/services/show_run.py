"""Waits for a run and tells how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import Item, RunStatus, SyncRun

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from bankloom.services.runtime import Runtime

WAIT_SECONDS_MAX = 25  # shorter than the 30 s after which common proxies give up
FIRST_POLL_SECONDS = 0.02
LONGEST_POLL_SECONDS = 0.5


class Standing(NamedTuple):
    """A run, and when it may begin if Plaid is not to be asked about its Item before."""

    run: SyncRun
    begins_at: datetime | None


NO_SUCH_RUN = "There is no run of that id."


def run_now(runtime: Runtime, run_id: uuid.UUID) -> SyncRun:
    """Return the run as it stands, or the one that took its place. Errors: `NotFoundError`."""
    with runtime.database.session() as session:
        run = SyncRun.latest_form(session, run_id)
    if run is None:
        raise NotFoundError(NO_SUCH_RUN)
    return run


async def wait_for_run(runtime: Runtime, run_id: uuid.UUID, seconds_max: float) -> Standing:
    """Return how the run stands once it has ended or is known to begin later, or in the end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    pause = FIRST_POLL_SECONDS
    while True:
        standing = await asyncio.to_thread(standing_now, runtime, run_id)
        left = deadline - loop.time()
        if has_ended(standing.run) or standing.begins_at or left <= 0:
            return standing
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def standing_now(runtime: Runtime, run_id: uuid.UUID) -> Standing:
    """Return how the run, or the one that took its place, stands. Errors: `NotFoundError`."""
    run = run_now(runtime, run_id)
    return Standing(run, _begins_at(runtime, run) if run.status == RunStatus.QUEUED else None)


def _begins_at(runtime: Runtime, run: SyncRun) -> datetime | None:
    with runtime.database.session() as session:
        item = Item.find(session, run.item_id)
    until = item and item.cooling_until
    return until if until and until > clock.now() else None


def has_ended(run: SyncRun) -> bool:
    """Say whether nothing more will happen to the run."""
    return run.status not in {RunStatus.QUEUED, RunStatus.RUNNING}

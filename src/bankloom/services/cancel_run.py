"""Cancels runs by hand: a queued one never begins, a running one finds the fence and is discarded."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import RunCancelledError
from bankloom.models import Item, ItemProduct, RunStatus, SyncRun
from bankloom.models.item_product import FOR_A_PERSON
from bankloom.services import audit, schedules, settle_run
from bankloom.services.plaid_errors import CODES_FOR_THE_PERSON

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)


class Cancelled(NamedTuple):
    """A run that was cancelled, and how it stood until then."""

    run_id: uuid.UUID
    was: str


def now(runtime: Runtime, item_id: str, only: uuid.UUID | None = None) -> list[Cancelled]:
    """Cancel the Item's runs that have not ended, or only one of them; return those.

    Their tags go back to their schedule. The worker of a running one discards its work at its next
    commit, which no longer finds the Item held by it.
    """
    with runtime.database.session() as session:
        # In the order of a run's beginning: the Item, its tags, its runs.
        item = Item.lock(session, item_id)
        if item is None:
            return []
        ItemProduct.lock(session, item_id)
        open_runs = SyncRun.open_of(session, item_id)
        cancelled = [Cancelled(run.id, run.status) for run in open_runs if only in {None, run.id}]
        statuses = {each.was for each in cancelled}
        if RunStatus.RUNNING in statuses:
            item.run_id = None
        _back_to_schedule(runtime, session, item, statuses)
        reason = settle_run.reason_of(RunCancelledError())
        for run_id, was in cancelled:
            SyncRun.end(session, run_id, RunStatus.CANCELLED, **reason)
            audit.note(
                runtime,
                session,
                audit.Action.RUN_CANCELLED,
                item_id=item_id,
                user_id=item.user_id,
                run_id=run_id,
                was=was,
            )
            log.info("Item %s: run %s was cancelled; it was %s", item_id, run_id, was)
    return cancelled


def _back_to_schedule(
    runtime: Runtime, session: Session, item: Item, statuses: Collection[str]
) -> None:
    """Give the tags that the cancelled runs were for the next times of a schedule.

    Those of a queued run are due by now, or when the Item has cooled; those of a running one under
    its lease. What was asked for while that one ran is another's, and stands.
    """
    at = clock.now()
    asked_by = max(at, item.cooling_until or at)
    leased_by = at + timedelta(seconds=runtime.settings.lease_seconds)
    for tag in ItemProduct.of_item(session, item.item_id):
        due = tag.next_try_at
        if due is None or due > max(asked_by, leased_by):
            continue
        whose = RunStatus.QUEUED if due <= asked_by else RunStatus.RUNNING
        if whose in statuses:
            ItemProduct.note(session, tag, next_try_at=_next_time(runtime, tag))


def _next_time(runtime: Runtime, tag: ItemProduct) -> datetime | None:
    if tag.state in FOR_A_PERSON or tag.error_code in CODES_FOR_THE_PERSON:
        return None
    return schedules.next_sync(tag.product, runtime.settings)

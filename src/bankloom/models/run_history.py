"""The history of runs, page by page: what it is narrowed to, and the query of one page."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, true, tuple_
from sqlalchemy.orm import aliased

from bankloom.models.item import Item
from bankloom.models.sync_run import SyncRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

Place = tuple[datetime, uuid.UUID]
"""Where a run stands in the history: when it was asked for, and its id. It never changes."""


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """What a listing is narrowed to; None and empty mean no narrowing."""

    user_id: uuid.UUID | None = None
    item_id: str | None = None
    statuses: Sequence[str] = ()
    trigger: str | None = None


def page_of_runs(
    session: Session, wanted: RunFilter, after: Place | None, limit: int
) -> Sequence[SyncRun]:
    """Return up to `limit` runs, newest first, that follow `after`; not those of removed Items."""
    matching = _matching(wanted, after)
    if wanted.user_id is not None:
        return session.scalars(_newest_of_user(wanted.user_id, matching, limit)).all()
    removed = select(Item.item_id).where(Item.removed_at.is_not(None))
    page = select(SyncRun).where(matching, SyncRun.item_id.not_in(removed))
    return session.scalars(page.order_by(*_newest_first(SyncRun)).limit(limit)).all()


def _newest_first(run: type[SyncRun]) -> tuple[ColumnElement[Any], ...]:
    return run.requested_at.desc(), run.id.desc()


def _newest_of_user(
    user_id: uuid.UUID, matching: ColumnElement[bool], limit: int
) -> Select[SyncRun]:
    """Select the newest runs of a user: one index range an Item, and nothing else is read."""
    of_item = select(SyncRun).where(SyncRun.item_id == Item.item_id, matching)
    newest = of_item.order_by(*_newest_first(SyncRun)).limit(limit).lateral()
    run = aliased(SyncRun, newest)
    runs = select(run).select_from(Item).join(newest, true())
    theirs = runs.where(Item.user_id == user_id, Item.removed_at.is_(None))
    return theirs.order_by(*_newest_first(run)).limit(limit)


def _matching(wanted: RunFilter, after: Place | None) -> ColumnElement[bool]:
    row = SyncRun
    conditions = [
        None if wanted.item_id is None else row.item_id == wanted.item_id,
        None if not wanted.statuses else row.status.in_(wanted.statuses),
        None if wanted.trigger is None else row.trigger == wanted.trigger,
        None if after is None else tuple_(row.requested_at, row.id) < after,
    ]
    return and_(true(), *(each for each in conditions if each is not None))

"""The history of runs, page by page: what it is narrowed to, and the query of one page."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, select, true, tuple_

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
    if wanted.user_id is None:
        removed = select(Item.item_id).where(Item.removed_at.is_not(None))
        page = and_(matching, SyncRun.item_id.not_in(removed))
    else:
        page = SyncRun.id.in_(_newest_of_each_item(wanted.user_id, matching, limit))
    return session.scalars(select(SyncRun).where(page).order_by(*_NEWEST_FIRST).limit(limit)).all()


_NEWEST_FIRST = (SyncRun.requested_at.desc(), SyncRun.id.desc())


def _newest_of_each_item(
    user_id: uuid.UUID, matching: ColumnElement[bool], limit: int
) -> Select[uuid.UUID]:
    """Select the ids among which the newest runs of a user are: one index range an Item."""
    of_item = select(SyncRun.id, SyncRun.requested_at).where(
        SyncRun.item_id == Item.item_id, matching
    )
    newest = of_item.order_by(*_NEWEST_FIRST).limit(limit).lateral()
    ids = select(newest.c.id).select_from(Item).join(newest, true())
    ids = ids.where(Item.user_id == user_id, Item.removed_at.is_(None))
    return ids.order_by(newest.c.requested_at.desc(), newest.c.id.desc()).limit(limit)


def _matching(wanted: RunFilter, after: Place | None) -> ColumnElement[bool]:
    row = SyncRun
    conditions = [
        None if wanted.item_id is None else row.item_id == wanted.item_id,
        None if not wanted.statuses else row.status.in_(wanted.statuses),
        None if wanted.trigger is None else row.trigger == wanted.trigger,
        None if after is None else tuple_(row.requested_at, row.id) < after,
    ]
    return and_(true(), *(each for each in conditions if each is not None))

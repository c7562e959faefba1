"""Tallies: how many rows stand in which state, for `GET /metrics`. None of them reads transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from bankloom.core import clock
from bankloom.models.item import Item, ItemState
from bankloom.models.item_product import ItemProduct
from bankloom.models.sync_run import RunStatus, SyncRun
from bankloom.models.webhook_delivery import WebhookDelivery
from bankloom.models.webhook_refusal import WebhookRefusal

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

Tally = dict[tuple[str, ...], float]
"""How many, by the values of some labels."""


def items(session: Session) -> Tally:
    """Count Items by state; those that no Item is in are 0."""
    rows = select(Item.state, func.count()).group_by(Item.state)
    return _tally(session, rows, *((state,) for state in ItemState))


def product_tags(session: Session) -> Tally:
    """Count the tags of Items that are not removed, by product and state."""
    kept = select(Item.item_id).where(Item.removed_at.is_(None))
    rows = (
        select(ItemProduct.product, ItemProduct.state, func.count())
        .where(ItemProduct.item_id.in_(kept))
        .group_by(ItemProduct.product, ItemProduct.state)
    )
    return _tally(session, rows)


def unfinished_runs(session: Session) -> Tally:
    """Count the runs that are queued and those that are at work; an index finds them."""
    rows = (
        select(SyncRun.status, func.count())
        .where(SyncRun.finished_at.is_(None))
        .group_by(SyncRun.status)
    )
    return _tally(session, rows, (RunStatus.QUEUED,), (RunStatus.RUNNING,))


def unhandled_deliveries(session: Session) -> Tally:
    """Count the webhook deliveries that still wait for something; an index finds them."""
    return _tally(session, select(func.count()).where(WebhookDelivery.handled_at.is_(None)))


def refusals(session: Session) -> Tally:
    """Count the deliveries that were refused, by verdict."""
    return _tally(session, select(WebhookRefusal.verdict, WebhookRefusal.count))


def due_tags(session: Session) -> Tally:
    """Count the product tags that are due, and that no run has claimed; an index finds them."""
    return _tally(session, select(func.count()).where(ItemProduct.next_try_at <= clock.now()))


def lag_seconds(session: Session) -> Tally:
    """Return for how long the longest due product tag has been due."""
    oldest = session.execute(select(func.min(ItemProduct.next_try_at))).scalar_one()
    return {(): max(0.0, (clock.now() - oldest).total_seconds()) if oldest else 0.0}


def _tally(session: Session, rows: Select[*tuple[Any, ...]], *expected: tuple[str, ...]) -> Tally:
    """Return what the last column counts by the others; of what is expected there may be none."""
    none: Tally = dict.fromkeys(expected, 0.0)
    return none | {tuple(labels): number for *labels, number in session.execute(rows)}

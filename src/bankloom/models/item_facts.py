"""What is told of Items besides their own rows: their accounts, how far back, how it last went."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true
from sqlalchemy.orm import aliased

from bankloom.models.account import Account
from bankloom.models.base import one_of
from bankloom.models.item import Item
from bankloom.models.sync_run import SyncRun
from bankloom.models.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session


@dataclass
class ItemFacts:
    """Of one Item: how many accounts Plaid lists and no longer lists, and the oldest date received.

    `last_run` is the newest run that has ended.
    """

    open_accounts: int = 0
    closed_accounts: int = 0
    oldest_date: dt.date | None = None
    last_run: SyncRun | None = None


def facts_of(session: Session, item_ids: Collection[str]) -> dict[str, ItemFacts]:
    """Return the facts of each of these Items, in three statements however many they are."""
    facts = {item_id: ItemFacts() for item_id in item_ids}
    for item_id, listed, all_of_them in _count_accounts(session, item_ids):
        facts[item_id].open_accounts = listed
        facts[item_id].closed_accounts = all_of_them - listed
    for item_id, oldest in _oldest_dates(session, item_ids):
        facts[item_id].oldest_date = oldest
    for run in _last_runs(session, item_ids):
        facts[run.item_id].last_run = run
    return facts


def _count_accounts(session: Session, item_ids: Collection[str]) -> Sequence[Row[str, int, int]]:
    listed = func.count().filter(Account.closed_at.is_(None))
    counts = select(Account.item_id, listed, func.count()).where(one_of(Account.item_id, item_ids))
    return session.execute(counts.group_by(Account.item_id)).all()


def _oldest_dates(session: Session, item_ids: Collection[str]) -> Sequence[Row[str, dt.date]]:
    """Return the Items' oldest dates: one end of an index range an account, not all its rows."""
    oldest = (
        select(Transaction.date)
        .where(Transaction.account_id == Account.account_id, Transaction.removed_at.is_(None))
        .order_by(Transaction.date, Transaction.transaction_id)
        .limit(1)
        .lateral()
    )
    dates = (
        select(Account.item_id, func.min(oldest.c.date))
        .join(oldest, true())
        .where(one_of(Account.item_id, item_ids))
    )
    return session.execute(dates.group_by(Account.item_id)).all()


def _last_runs(session: Session, item_ids: Collection[str]) -> Sequence[SyncRun]:
    """Return each Item's newest ended run: one step of an index range an Item."""
    ended = aliased(SyncRun)
    newest = (
        select(ended.id)
        .where(ended.item_id == Item.item_id, ended.finished_at.is_not(None))
        .order_by(ended.requested_at.desc())
        .limit(1)
        .lateral()
    )
    runs = (
        select(SyncRun)
        .select_from(Item)
        .join(newest, true())
        .join(SyncRun, SyncRun.id == newest.c.id)
        .where(one_of(Item.item_id, item_ids))
    )
    return session.scalars(runs).all()

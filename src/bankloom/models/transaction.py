"""Transactions: money that moved, as Plaid last told it; removed ones stay as tombstones."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, and_, or_, select, text, true, tuple_
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base
from bankloom.models.item import Item
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Row, Select
    from sqlalchemy.orm import Session


class Transaction(Base):
    """A movement of money. `amount` keeps Plaid's sign: positive is money out of the account.

    `date` is a calendar date, never an instant. `lineage_id` is the id under which this movement
    was first known: a posted row inherits it from its pending one. `payload` is Plaid's JSON
    object as received. `user_id` and `item_id` repeat what the account says, so that a person's
    newest rows are one index range.

    No foreign key stands here: checking each row by itself took a third of the time of a merge.
    Every transaction has its account all the same, because the commit that merges a run's rows
    first adds the accounts that they name, and none is deleted before its transactions.
    """

    __tablename__ = "transactions"
    __table_args__ = (
        Index(
            "transactions_newest_idx",
            "user_id",
            text("date DESC"),
            text("transaction_id DESC"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "transactions_of_account_idx",
            "account_id",
            text("date DESC"),
            text("transaction_id DESC"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "transactions_tombstones_idx",
            "account_id",
            postgresql_where=text("removed_at IS NOT NULL"),
        ),
    )

    transaction_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    item_id: Mapped[str]
    user_id: Mapped[uuid.UUID]
    lineage_id: Mapped[str]
    pending_transaction_id: Mapped[str | None]
    amount: Mapped[Decimal]
    iso_currency_code: Mapped[str | None]
    unofficial_currency_code: Mapped[str | None]
    date: Mapped[dt.date]
    authorized_date: Mapped[dt.date | None]
    name: Mapped[str | None]
    merchant_name: Mapped[str | None]
    pending: Mapped[bool]
    payment_channel: Mapped[str | None]
    category_primary: Mapped[str | None]
    category_detailed: Mapped[str | None]
    payload: Mapped[bytes]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    removed_at: Mapped[dt.datetime | None]


@dataclass(frozen=True, kw_only=True)
class TransactionFilter:
    """What a listing is narrowed to; None and empty mean no narrowing. Dates are inclusive."""

    user_id: uuid.UUID | None = None
    item_id: str | None = None
    account_ids: Sequence[str] = field(default_factory=tuple)
    start_date: dt.date | None = None
    end_date: dt.date | None = None
    pending: bool | None = None
    category: str | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    q: str | None = None

    @property
    def spans_users(self) -> bool:
        """Whether nothing here narrows the listing to one user, one Item or a few accounts."""
        return self.user_id is None and self.item_id is None and not self.account_ids


def page_of_transactions(
    session: Session, wanted: TransactionFilter, after: tuple[dt.date, str] | None, limit: int
) -> Sequence[Row[Transaction, str]]:
    """Return up to `limit` (Transaction, user name) rows, newest first, that follow `after`.

    The order (date, transaction_id) never changes for a row that does not, so a walk neither
    misses nor repeats it while syncs run.
    """
    matching = _matching(wanted, after)
    if wanted.spans_users:
        matching = Transaction.transaction_id.in_(_newest_of_each_user(matching, limit))
    page = select(Transaction, User.name).join(User, User.id == Transaction.user_id)
    return session.execute(page.where(matching).order_by(*_NEWEST_FIRST).limit(limit)).all()


_NEWEST_FIRST = (Transaction.date.desc(), Transaction.transaction_id.desc())


def _newest_of_each_user(matching: ColumnElement[bool], limit: int) -> Select[str]:
    """Select the ids among which the newest of all users are: one index range a user.

    An index over all users' rows would be one more to write with every row.
    """
    of_user = select(Transaction.date, Transaction.transaction_id).where(
        Transaction.user_id == User.id, matching
    )
    newest = of_user.order_by(*_NEWEST_FIRST).limit(limit).lateral()
    ids = select(newest.c.transaction_id).select_from(User).join(newest, true())
    return ids.order_by(newest.c.date.desc(), newest.c.transaction_id.desc()).limit(limit)


def _matching(wanted: TransactionFilter, after: tuple[dt.date, str] | None) -> ColumnElement[bool]:
    row = Transaction
    conditions: list[tuple[object, Callable[[Any], ColumnElement[bool]]]] = [
        (wanted.user_id, lambda value: row.user_id == value),
        (wanted.item_id, _of_item),
        (wanted.account_ids or None, row.account_id.in_),
        (wanted.start_date, lambda value: row.date >= value),
        (wanted.end_date, lambda value: row.date <= value),
        (wanted.pending, lambda value: row.pending == value),
        (
            wanted.category,
            lambda value: or_(row.category_primary == value, row.category_detailed == value),
        ),
        (wanted.min_amount, lambda value: row.amount >= value),
        (wanted.max_amount, lambda value: row.amount <= value),
        (wanted.q, _text_matches),
        (after, lambda value: tuple_(row.date, row.transaction_id) < value),
    ]
    given = (condition(value) for value, condition in conditions if value is not None)
    return and_(row.removed_at.is_(None), *given)


def _of_item(item_id: str) -> ColumnElement[bool]:
    """Match an Item, and its user too: the newest rows of a user are one index range."""
    owner = select(Item.user_id).where(Item.item_id == item_id).scalar_subquery()
    return and_(Transaction.item_id == item_id, Transaction.user_id == owner)


def _text_matches(q: str) -> ColumnElement[bool]:
    name = Transaction.name.icontains(q, autoescape=True)
    return or_(name, Transaction.merchant_name.icontains(q, autoescape=True))

"""Bank accounts, keyed by Plaid's `account_id` alone: two of one name are two accounts."""

from __future__ import annotations

import functools
import uuid
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId, one_of, table_of
from bankloom.models.institution import Institution
from bankloom.models.item import Item
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.orm import Session


class Account(Base):
    """A bank account. `id` is ours and stays for the account's life.

    Balances are in the account's own currency and keep Plaid's digits and sign: for credit and
    loan accounts a positive `current` is what is owed (spec `AccountBalance`). `described_at` is
    when Plaid's `/accounts/get` last told of it; None for a stub, made because Link or a
    transaction named it first. `closed_at` is since when Plaid has not listed it; `revoked_at`
    when its webhook said that the person took it back, which a listing of the account disproves.
    """

    __tablename__ = "accounts"

    id: Mapped[OurId]
    account_id: Mapped[str] = mapped_column(unique=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.item_id"), index=True)
    name: Mapped[str]
    official_name: Mapped[str | None]
    mask: Mapped[str | None]
    type: Mapped[str]
    subtype: Mapped[str | None]
    current: Mapped[Decimal | None]
    available: Mapped[Decimal | None]
    limit: Mapped[Decimal | None]
    iso_currency_code: Mapped[str | None]
    unofficial_currency_code: Mapped[str | None]
    persistent_account_id: Mapped[str | None]
    payload: Mapped[bytes | None]
    described_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def put_described(
        cls, session: Session, item_id: str, rows: Sequence[dict[str, Any]], at: datetime
    ) -> None:
        """Make the Item's accounts equal to what `/accounts/get` listed.

        `rows` are column values. Accounts that Plaid no longer lists are marked closed, not removed.
        """
        listed = [row["account_id"] for row in rows]
        session.execute(
            update(cls)
            .where(cls.item_id == item_id, cls.account_id.not_in(listed), cls.closed_at.is_(None))
            .values(closed_at=at)
        )
        if rows:
            put = [{**row, "item_id": item_id, "described_at": at} for row in rows]
            session.execute(_put_described(tuple(put[0])), put)

    @classmethod
    def put_stubs(
        cls,
        session: Session,
        item_id: str,
        rows: Sequence[dict[str, Any]],
        *,
        closed_at: datetime | None = None,
    ) -> None:
        """Insert accounts that were named before Plaid described them; keep those that are there.

        `closed_at` is for those that `/accounts/get`, when it was asked, did not list.
        """
        if rows:
            session.execute(
                insert(cls)
                .values([{**row, "item_id": item_id, "closed_at": closed_at} for row in rows])
                .on_conflict_do_nothing()
            )

    @classmethod
    def note_revoked(cls, session: Session, item_id: str, account_id: str, at: datetime) -> None:
        """Note that Plaid said that the person took this account back."""
        named = update(cls).where(cls.item_id == item_id, cls.account_id == account_id)
        session.execute(named.values(revoked_at=at))

    @classmethod
    def revoked_before(cls, session: Session, before: datetime, limit: int) -> Sequence[Account]:
        """Return accounts that were said to be revoked, and have not been listed since before then."""
        revoked = (
            select(cls)
            .join(Item, Item.item_id == cls.item_id)
            .where(cls.revoked_at <= before, cls.closed_at <= before, Item.removed_at.is_(None))
        )
        return session.scalars(revoked.order_by(cls.closed_at).limit(limit)).all()

    @classmethod
    def names_and_masks(
        cls, session: Session, user_id: uuid.UUID, institution_id: str, except_in: Collection[str]
    ) -> set[tuple[str, str, str | None]]:
        """Return (item_id, name, mask) of the user's accounts at an institution.

        Items that are in one of the errors `except_in` are left out.
        """
        rows = session.execute(
            select(cls.item_id, cls.name, cls.mask)
            .join(Item, Item.item_id == cls.item_id)
            .where(
                Item.user_id == user_id,
                Item.institution_id == institution_id,
                Item.removed_at.is_(None),
                func.coalesce(Item.error_code, "").not_in(except_in),
            )
        )
        return {(row.item_id, row.name, row.mask) for row in rows}

    @classmethod
    def are_all_of(
        cls, session: Session, account_ids: Collection[str], user_id: uuid.UUID | None
    ) -> bool:
        """Say whether these accounts are all there, closed or not, and the user's if one is named."""
        query = select(func.count()).select_from(cls).join(Item, Item.item_id == cls.item_id)
        query = query.where(one_of(cls.account_id, account_ids))
        if user_id is not None:
            query = query.where(Item.user_id == user_id)
        return session.execute(query).scalar_one() == len(set(account_ids))

    @classmethod
    def listing(
        cls, session: Session, user_id: uuid.UUID | None, item_id: str | None
    ) -> Sequence[Row[Account, str, str]]:
        """Return (Account, user name, institution name) rows of one user or of all, oldest first.

        Those of a removed Item, whose history was kept, are listed only where it is named.
        """
        query = (
            select(cls, User.name, Institution.name)
            .join(Item, Item.item_id == cls.item_id)
            .join(User, User.id == Item.user_id)
            .outerjoin(Institution, Institution.institution_id == Item.institution_id)
            .where(cls.closed_at.is_(None))
        )
        if item_id is None:
            query = query.where(Item.removed_at.is_(None))
        if user_id is not None:
            query = query.where(Item.user_id == user_id)
        if item_id is not None:
            query = query.where(cls.item_id == item_id)
        return session.execute(
            query.order_by(Item.created_at, Item.item_id, cls.name, cls.mask, cls.account_id)
        ).all()


@functools.cache
def _put_described(columns: tuple[str, ...]) -> Insert:
    """Build the statement once: SQLAlchemy takes longer to build it than the database to do it."""
    statement = insert(table_of(Account))
    new = {name: statement.excluded[name] for name in columns if name != "account_id"}
    return statement.on_conflict_do_update(
        index_elements=[Account.account_id],
        where=Account.item_id == statement.excluded.item_id,
        set_={**new, "closed_at": None, "revoked_at": None},
    )

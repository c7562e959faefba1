"""Balance snapshots: what was last seen of each account on each day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.account import Account
from bankloom.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class BalanceSnapshot(Base):
    """An account's balances as last measured on a UTC day; the day's last measurement stands."""

    __tablename__ = "balance_snapshots"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    date: Mapped[dt.date] = mapped_column(primary_key=True)
    current: Mapped[Decimal | None]
    available: Mapped[Decimal | None]
    limit: Mapped[Decimal | None]
    iso_currency_code: Mapped[str | None]
    unofficial_currency_code: Mapped[str | None]
    taken_at: Mapped[dt.datetime]

    @classmethod
    def take(cls, session: Session, item_id: str, at: dt.datetime) -> None:
        """Snapshot every account of the Item that was described at this instant."""
        measured = (
            "current",
            "available",
            "limit",
            "iso_currency_code",
            "unofficial_currency_code",
        )
        seen = select(
            Account.account_id,
            *(getattr(Account, name) for name in measured),
            Account.described_at,
            literal(at.astimezone(dt.UTC).date()),
        ).where(Account.item_id == item_id, Account.described_at == at)
        statement = insert(cls).from_select(["account_id", *measured, "taken_at", "date"], seen)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[cls.account_id, cls.date],
                set_={name: statement.excluded[name] for name in (*measured, "taken_at")},
            )
        )

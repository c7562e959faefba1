"""Chores: what is done once a while whatever happens, and when each is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Chore(Base):
    """A chore by its name; a new one is due at once."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @classmethod
    def claim(cls, session: Session, name: str, at: datetime, every: timedelta) -> bool:
        """Take the chore if it is due and say so; of several workers that ask, one gets it."""
        session.execute(insert(cls).values(name=name, due_at=at).on_conflict_do_nothing())
        claimed = session.execute(
            update(cls)
            .where(cls.name == name, cls.due_at <= at)
            .values(due_at=at + every)
            .returning(cls.name)
        )
        return claimed.scalar_one_or_none() is not None

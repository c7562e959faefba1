"""Sealing keys: which data key seals since the last rotation, and which ones it took the place of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Index, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.core.keyring import Mark
from bankloom.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

_LOCK = 0x6B657972696E67  # "keyring": who looks at processes and their keys does so one at a time


class SealingKey(Base):
    """A data key that a rotation led to, or away from then: that is `superseded`, and seals no more."""

    __tablename__ = "sealing_keys"
    __table_args__ = (
        Index(
            "sealing_keys_current_idx",
            text("(superseded_at IS NULL)"),
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        {
            "comment": "Sealed values open only with the keyring, which is never in this database,"
            " nor in a backup of it."
        },
    )

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    superseded_at: Mapped[datetime | None]

    @property
    def mark(self) -> Mark:
        """The key's mark."""
        return Mark(self.name, self.fingerprint)

    @classmethod
    def lock(cls, session: Session) -> None:
        """Let one commit at a time decide by the processes and their keys."""
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})

    @classmethod
    def current(cls, session: Session) -> Mark | None:
        """Return the key that the last rotation led to; None where there was none."""
        found = session.scalars(select(cls).where(cls.superseded_at.is_(None))).one_or_none()
        return found.mark if found else None

    @classmethod
    def superseded(cls, session: Session) -> set[Mark]:
        """Return the keys that rotations led away from."""
        return {
            each.mark for each in session.scalars(select(cls).where(cls.superseded_at.is_not(None)))
        }

    @classmethod
    def is_known(cls, session: Session, name: str) -> bool:
        """Say whether a key of this name has ever sealed, as far as rotations know."""
        return (
            session.scalars(select(cls.name).where(cls.name == name).limit(1)).first() is not None
        )

    @classmethod
    def rotate(cls, session: Session, to: Mark, away_from: Collection[Mark]) -> None:
        """Record that one key seals from now on, and that the others do no more."""
        ended = update(cls).where(cls.superseded_at.is_(None), cls.fingerprint != to.fingerprint)
        session.execute(ended.values(superseded_at=func.now()))
        for mark, superseded_at in [*((each, func.now()) for each in away_from), (to, None)]:
            values = {"name": mark.name, "superseded_at": superseded_at}
            put = insert(cls).values(fingerprint=mark.fingerprint, **values)
            session.execute(
                put.on_conflict_do_update(index_elements=[cls.fingerprint], set_=values)
            )

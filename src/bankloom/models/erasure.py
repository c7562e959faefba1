"""Erasures: what was asked to be erased, how far that has come, and in the end its receipt."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, OurId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


class Subject(enum.StrEnum):
    """What is erased."""

    ITEM = "item"
    ACCOUNT = "account"
    USER = "user"


class Erasure(Base):
    """One erasure. It is written before Plaid is called, so that a crash in between is finished later.

    A finished one is a receipt. It names nothing that was erased: `subject_hash` is a keyed hash,
    and `item_id`, `account_id` and, once all of a person is erased, `user_id` are forgotten. `user_id`
    is our opaque id, and no foreign key: the receipt outlives the user. `part_of` is the erasure of
    a whole person that this one belongs to.

    Whoever holds `lease_until` works on it, as the attempt that it counted; `next_try_at` is when one
    that Plaid did not let finish is tried again. `already_gone` is what Plaid said instead of removing
    the Item: its error code.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint(
            "subject IN ({})".format(", ".join(f"'{subject}'" for subject in Subject)), "subject"
        ),
        Index(
            "erasures_open_idx",
            "subject_hash",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index("erasures_subject_idx", "subject_hash"),
        Index("erasures_user_idx", "user_id", postgresql_where=text("user_id IS NOT NULL")),
        Index("erasures_parts_idx", "part_of", postgresql_where=text("part_of IS NOT NULL")),
    )

    id: Mapped[OurId]
    subject: Mapped[str]
    subject_hash: Mapped[str]
    part_of: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("erasures.id"))
    user_id: Mapped[uuid.UUID | None]
    item_id: Mapped[str | None]
    account_id: Mapped[str | None]
    keeps_data: Mapped[bool] = mapped_column(server_default="false")
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="1")
    lease_until: Mapped[datetime]
    next_try_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    request_id: Mapped[str | None]
    removed_at: Mapped[datetime | None]
    already_gone: Mapped[str | None]
    removal_request_id: Mapped[str | None]
    rows_deleted: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")
    finished_at: Mapped[datetime | None]

    @classmethod
    def claim(cls, session: Session, at: datetime, **values: Any) -> Erasure | None:
        """Begin an erasure, or take over one that nobody is at; None where somebody is.

        Who asked first is told by the receipt; that the data is to go weighs more than that it stays.
        """
        row = insert(cls).values(asked_at=at, **values)
        claimed = row.on_conflict_do_update(
            index_elements=[cls.subject_hash],
            index_where=text("finished_at IS NULL"),
            set_={
                "attempts": cls.attempts + 1,
                "lease_until": row.excluded.lease_until,
                "keeps_data": cls.keeps_data & row.excluded.keeps_data,
                "part_of": func.coalesce(cls.part_of, row.excluded.part_of),
            },
            where=cls.lease_until < at,
        )
        return session.scalars(
            claimed.returning(cls), execution_options={"populate_existing": True}
        ).one_or_none()

    @classmethod
    def find(cls, session: Session, erasure_id: uuid.UUID) -> Erasure | None:
        """Return the erasure as it stands, or None."""
        found = select(cls).where(cls.id == erasure_id)
        return session.scalars(found, execution_options={"populate_existing": True}).one_or_none()

    @classmethod
    def newest_of(cls, session: Session, subject_hash: str) -> Erasure | None:
        """Return the newest erasure of whatever has this keyed hash, or None."""
        theirs = select(cls).where(cls.subject_hash == subject_hash)
        return session.scalars(theirs.order_by(cls.asked_at.desc()).limit(1)).one_or_none()

    @classmethod
    def parts_of(cls, session: Session, erasure_id: uuid.UUID) -> Sequence[Erasure]:
        """Return the erasures that belong to that of a person, in the order that they were begun."""
        parts = select(cls).where(cls.part_of == erasure_id)
        return session.scalars(parts.order_by(cls.asked_at, cls.id)).all()

    @classmethod
    def due(cls, session: Session, at: datetime, limit: int) -> Sequence[Erasure]:
        """Return what is to be gone on with, and nobody is at: the longest left alone first.

        The parts of a person's are gone on with as such.
        """
        left = select(cls).where(
            cls.finished_at.is_(None),
            cls.part_of.is_(None),
            cls.lease_until < at,
            or_(cls.next_try_at.is_(None), cls.next_try_at <= at),
        )
        return session.scalars(left.order_by(cls.lease_until).limit(limit)).all()

    def take_over(self, session: Session, at: datetime, lease_until: datetime) -> Erasure | None:
        """Claim one that is due; None where another has been quicker."""
        left = update(Erasure).where(*self._mine, Erasure.lease_until < at)
        taken = left.values(attempts=self.attempts + 1, lease_until=lease_until)
        return session.scalars(
            taken.returning(Erasure), execution_options={"populate_existing": True}
        ).one_or_none()

    def hold_on(self, session: Session, lease_until: datetime) -> bool:
        """Hold on to it; False where another has taken it over."""
        held = update(Erasure).where(*self._mine).values(lease_until=lease_until)
        return session.execute(held.returning(Erasure.id)).scalar_one_or_none() is not None

    def withdraw(self, session: Session) -> None:
        """Forget one that nothing was done for: Plaid refused, and all is as it was."""
        session.execute(delete(Erasure).where(*self._mine))

    def put_off(
        self, session: Session, at: datetime, next_try_at: datetime | None, **error: str | None
    ) -> None:
        """Leave it to whoever comes next: a call at any time, or a turn from `next_try_at` on."""
        left = {"lease_until": at, "next_try_at": next_try_at, **error}
        session.execute(update(Erasure).where(*self._mine).values(left))

    def note_removed(self, session: Session, at: datetime, **told: str | None) -> None:
        """Note what Plaid said: `removal_request_id` and `already_gone`."""
        mine = update(Erasure).where(Erasure.id == self.id, Erasure.removed_at.is_(None))
        session.execute(mine.values(removed_at=at, **told))

    def count_deleted(self, session: Session, table: str, rows: int, lease_until: datetime) -> bool:
        """Add to the rows deleted, and hold on to it; False where another has taken it over."""
        so_far = func.coalesce(Erasure.rows_deleted[table].as_integer(), 0)
        counted = Erasure.rows_deleted.op("||")(func.jsonb_build_object(table, so_far + rows))
        noted = (
            update(Erasure).where(*self._mine).values(rows_deleted=counted, lease_until=lease_until)
        )
        returned = session.execute(
            noted.returning(Erasure.id).execution_options(synchronize_session=False)
        )
        return returned.scalar_one_or_none() is not None

    def finish(self, session: Session, at: datetime) -> None:
        """Make it a receipt: what is erased is no longer named."""
        done: dict[str, Any] = dict.fromkeys(
            ("next_try_at", "error_code", "error_message", "request_id")
        )
        if not self.keeps_data:
            done |= {"item_id": None, "account_id": None}
        session.execute(update(Erasure).where(*self._mine).values(finished_at=at, **done))

    @classmethod
    def forget_user(cls, session: Session, user_id: uuid.UUID) -> None:
        """Leave no trace of whose these were."""
        forgotten = {"user_id": None, "item_id": None, "account_id": None}
        session.execute(update(cls).where(cls.user_id == user_id).values(forgotten))

    @property
    def _mine(self) -> tuple[Any, ...]:
        return (
            Erasure.id == self.id,
            Erasure.attempts == self.attempts,
            Erasure.finished_at.is_(None),
        )

"""Sync runs: one row a run of an Item, from the request for it to how it ended."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.core import clock
from bankloom.models.base import Base, OurId
from bankloom.models.item import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


FORGOTTEN_AT_ONCE_MAX = 5000
"""A tick that has much to forget, after a long rest, must not hold up what it is for."""


class RunStatus(enum.StrEnum):
    """How a run stands or ended."""

    QUEUED = "queued"
    RUNNING = "running"
    SYNCED = "synced"
    UP_TO_DATE = "up_to_date"
    NOT_READY = "not_ready"
    NEEDS_RELINK = "needs_relink"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class SyncRun(Base):
    """A run of an Item. At most one is queued: every request made before it begins shares it.

    `asks_item`: it asks `/item/get` too, because something happened to the Item itself.
    """

    __tablename__ = "sync_runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ({})".format(", ".join(f"'{status}'" for status in RunStatus)), "status"
        ),
        Index(
            "sync_runs_queued_idx",
            "item_id",
            unique=True,
            postgresql_where=text("status = 'queued'"),
        ),
        Index("sync_runs_item_idx", "item_id", text("requested_at DESC")),
        Index("sync_runs_newest_idx", text("requested_at DESC"), text("id DESC")),
        Index("sync_runs_status_idx", "status", text("requested_at DESC"), text("id DESC")),
        Index("sync_runs_finished_idx", "finished_at"),
    )

    id: Mapped[OurId]
    item_id: Mapped[str] = mapped_column(ForeignKey("items.item_id"))
    status: Mapped[str] = mapped_column(server_default=RunStatus.QUEUED)
    trigger: Mapped[str]
    allow_removals: Mapped[bool] = mapped_column(server_default="false")
    asks_item: Mapped[bool] = mapped_column(server_default="false")
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    pages: Mapped[int] = mapped_column(server_default="0")
    rows_pulled: Mapped[int] = mapped_column(server_default="0")
    added: Mapped[int] = mapped_column(server_default="0")
    modified: Mapped[int] = mapped_column(server_default="0")
    removed: Mapped[int] = mapped_column(server_default="0")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    request_id: Mapped[str | None]
    superseded_by: Mapped[uuid.UUID | None]

    @property
    def transactions_synced(self) -> int:
        """How many distinct transactions this run added, changed or removed."""
        return self.added + self.modified + self.removed

    @property
    def duration_seconds(self) -> float | None:
        """How long the run took; None where it has not begun, or has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @classmethod
    def open_of(cls, session: Session, item_id: str) -> Sequence[SyncRun]:
        """Return the Item's runs that have not ended: at most one running, at most one queued."""
        runs = select(cls).where(cls.item_id == item_id, cls.finished_at.is_(None))
        return session.scalars(runs.order_by(cls.requested_at)).all()

    @classmethod
    def queue(
        cls,
        session: Session,
        item_id: str,
        trigger: str,
        at: datetime,
        **wishes: bool,
    ) -> uuid.UUID:
        """Return the Item's queued run, made if there is none; it grants the wishes of all askers.

        The wishes are `allow_removals` and `asks_item`.
        """
        statement = insert(cls).values(item_id=item_id, trigger=trigger, requested_at=at, **wishes)
        return session.execute(
            statement.on_conflict_do_update(
                index_elements=[cls.item_id],
                index_where=text("status = 'queued'"),
                set_={
                    "allow_removals": cls.allow_removals | wishes.get("allow_removals", False),
                    "asks_item": cls.asks_item | wishes.get("asks_item", False),
                },
            ).returning(cls.id)
        ).scalar_one()

    @classmethod
    def begin(cls, session: Session, item_id: str, at: datetime) -> SyncRun:
        """Start the queued run, or a scheduled one; a run that still stands as running is superseded.

        The caller holds the Item's row, so that no two runs begin at once.
        """
        run_id = cls.queue(session, item_id, "schedule", at)
        superseded = session.execute(
            update(cls)
            .where(cls.item_id == item_id, cls.status == RunStatus.RUNNING)
            .values(status=RunStatus.SUPERSEDED, finished_at=at, superseded_by=run_id)
            .returning(cls.allow_removals, cls.asks_item)
        ).all()
        agreed = any(row.allow_removals for row in superseded)
        asks = any(row.asks_item for row in superseded)
        return session.execute(
            update(cls)
            .where(cls.id == run_id)
            .values(
                status=RunStatus.RUNNING,
                started_at=at,
                allow_removals=cls.allow_removals | agreed,
                asks_item=cls.asks_item | asks,
            )
            .returning(cls)
        ).scalar_one()

    @classmethod
    def is_queued(cls, session: Session, item_id: str) -> bool:
        """Say whether somebody waits for a run of the Item."""
        queued = select(cls.id).where(cls.item_id == item_id, cls.status == RunStatus.QUEUED)
        return session.execute(queued).first() is not None

    @classmethod
    def waiting_items(cls, session: Session, at: datetime, limit: int) -> Sequence[str]:
        """Return the Items that a run is queued for and that may be asked about, the longest first.

        A queued run has a job; this finds the one whose job was lost, or ended while the Item cooled.
        """
        queued = select(cls.item_id).join(Item, Item.item_id == cls.item_id)
        queued = queued.where(
            cls.status == RunStatus.QUEUED,
            Item.removed_at.is_(None),
            or_(Item.cooling_until.is_(None), Item.cooling_until <= at),
        )
        return session.scalars(queued.order_by(cls.requested_at).limit(limit)).all()

    @classmethod
    def end(cls, session: Session, run_id: uuid.UUID, status: RunStatus, **values: Any) -> None:
        """Write how a run ended, unless its successor has."""
        session.execute(
            update(cls)
            .where(cls.id == run_id, cls.status.in_((RunStatus.QUEUED, RunStatus.RUNNING)))
            .values(status=status, finished_at=clock.now(), **values)
        )

    @classmethod
    def latest_form(cls, session: Session, run_id: uuid.UUID) -> SyncRun | None:
        """Return the run, or the one that took its place."""
        rows = select(cls).from_statement(_LATEST)
        return session.scalars(rows, {"run_id": run_id}).one_or_none()

    @classmethod
    def forget_old(cls, session: Session, before: datetime) -> None:
        """Delete the runs that ended before an instant, the oldest first, a bounded number at a time."""
        old = select(cls.id).where(cls.finished_at < before).order_by(cls.finished_at)
        session.execute(delete(cls).where(cls.id.in_(old.limit(FORGOTTEN_AT_ONCE_MAX))))


# In one statement: an Item that cools often leaves a long chain of runs that took each other's place,
# and one read after it was found could have lost its place by then.
_LATEST = text("""
    WITH RECURSIVE form AS (
        SELECT * FROM sync_runs WHERE id = :run_id
        UNION ALL
        SELECT next.* FROM sync_runs next JOIN form ON next.id = form.superseded_by
    )
    SELECT * FROM form WHERE superseded_by IS NULL
""")

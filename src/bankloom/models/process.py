"""Processes that run: which data keys each holds, and under which it seals; never the keys."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, OurId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

SILENT_AFTER = timedelta(seconds=30)
"""A process that has not been heard of for so long is dead, or frozen; they are heard every 2 s."""

FORGOTTEN_AFTER = timedelta(hours=1)


class Process(Base):
    """A process that seals or opens for longer: a service, a worker, an import.

    `keys` are the marks of its data keys (`name:fingerprint`, one-way), the sealing one first;
    `changed_at` is when it last began to seal under another one, None: it has not since its start.
    All instants are the database's own, so that no two machines' clocks are compared.
    """

    __tablename__ = "processes"

    id: Mapped[OurId]
    kind: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    keys: Mapped[list[str]]
    changed_at: Mapped[datetime | None]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())

    def __str__(self) -> str:
        return f"{self.kind} on {self.host} (process {self.pid})"

    @property
    def sealing(self) -> str:
        """The mark of the key that it seals under."""
        return self.keys[0]

    @classmethod
    def announce(cls, session: Session, process: Process) -> None:
        """Add a process, and forget those that are long gone."""
        session.execute(delete(cls).where(cls.seen_at < func.now() - FORGOTTEN_AFTER))
        session.add(process)

    @classmethod
    def beat(cls, session: Session, process_id: uuid.UUID, keys: list[str]) -> bool:
        """Note that a process lives and which keys it holds; say whether it was known."""
        changed_at = case((cls.keys[1] == keys[0], cls.changed_at), else_=func.now())
        values = {"seen_at": func.now(), "keys": keys, "changed_at": changed_at}
        seen = update(cls).where(cls.id == process_id).values(values).returning(cls.id)
        return session.execute(seen).scalar_one_or_none() is not None

    @classmethod
    def leave(cls, session: Session, process_id: uuid.UUID) -> None:
        """Forget a process that ends."""
        session.execute(delete(cls).where(cls.id == process_id))

    @classmethod
    def living(cls, session: Session) -> Sequence[Process]:
        """Return the processes that were heard of lately, oldest first."""
        heard = select(cls).where(cls.seen_at > func.now() - SILENT_AFTER)
        return session.scalars(heard.order_by(cls.started_at, cls.id)).all()

    @classmethod
    def changed_lately(cls, session: Session, within: timedelta) -> Sequence[Process]:
        """Return the living processes that have begun to seal under another key so lately."""
        late = cls.changed_at > func.now() - within
        return session.scalars(
            select(cls).where(cls.seen_at > func.now() - SILENT_AFTER, late)
        ).all()

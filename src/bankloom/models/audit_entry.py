"""The audit log: who did what to whose Item, an entry an action; append-only, sealed into a chain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import BigInteger, CheckConstraint, Index, and_, insert, select, text, true, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row, ScalarResult
    from sqlalchemy.orm import Session

FETCHED = 1000
"""How many entries a walk over all of them holds in memory."""

Facts = dict[str, str | int | bool | list[str] | None]
Place = tuple[datetime, uuid.UUID]
"""Where an entry stands in the listing: when it was written, and its id. It never changes."""


class Link(NamedTuple):
    """A link of the chain: its place, counted from 1 without a gap, and its hash."""

    seq: int
    hash: bytes


NO_LINK = Link(0, b"")
"""What stands before the first."""


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What a listing is narrowed to; None means no narrowing."""

    since: datetime | None = None
    action: str | None = None
    actor: str | None = None
    item_id: str | None = None


class AuditEntry(Base):
    """An entry. It names people and Items by id and refers to no table: it outlives both.

    `mac` proves that we wrote it as it stands; `seq` and `hash` come later, and prove that none is
    missing before it. Triggers refuse every other change: see migration 0005.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint("(seq IS NULL) = (hash IS NULL)", name="sealed"),
        Index("audit_entries_newest_idx", text("at DESC"), text("id DESC")),
        Index("audit_entries_item_idx", "item_id"),
        Index("audit_entries_unsealed_idx", "at", postgresql_where=text("seq IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    item_id: Mapped[str | None]
    user_id: Mapped[uuid.UUID | None]
    facts: Mapped[Facts] = mapped_column(JSONB)
    mac: Mapped[bytes]
    seq: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    hash: Mapped[bytes | None]

    @property
    def link(self) -> Link | None:
        """Its link of the chain, once it is sealed."""
        return None if self.seq is None or self.hash is None else Link(self.seq, self.hash)

    @classmethod
    def add(cls, session: Session, entry: Self) -> None:
        """Write it in this session's commit: one INSERT, which locks nothing and reads nothing."""
        names = ("id", "at", "actor", "action", "item_id", "user_id", "facts", "mac")
        session.execute(insert(cls).values({name: getattr(entry, name) for name in names}))

    @classmethod
    def page(
        cls, session: Session, wanted: AuditFilter, after: Place | None, limit: int
    ) -> Sequence[Row[Self, str | None]]:
        """Return up to `limit` (entry, name of its user if that is held), newest first."""
        conditions = [
            None if wanted.since is None else cls.at >= wanted.since,
            None if wanted.action is None else cls.action == wanted.action,
            None if wanted.actor is None else cls.actor == wanted.actor,
            None if wanted.item_id is None else cls.item_id == wanted.item_id,
            None if after is None else tuple_(cls.at, cls.id) < after,
        ]
        matching = and_(true(), *(each for each in conditions if each is not None))
        query = select(cls, User.name).join(User, User.id == cls.user_id, isouter=True)
        newest = query.where(matching).order_by(cls.at.desc(), cls.id.desc())
        return session.execute(newest.limit(limit)).all()

    @classmethod
    def walk(cls, session: Session) -> ScalarResult[Self]:
        """Return every entry as of one moment: the chain in its order, then what is not sealed yet.

        They come as they are taken; close it.
        """
        everything = select(cls).order_by(cls.seq.asc().nulls_last(), cls.at, cls.id)
        return session.scalars(everything, execution_options={"yield_per": FETCHED})

    @classmethod
    def end_of_chain(cls, session: Session) -> Link:
        """Return the newest link; of an empty chain, number 0 and no hash."""
        newest = select(cls).where(cls.seq.is_not(None)).order_by(cls.seq.desc()).limit(1)
        last = session.scalars(newest).first()
        return (last and last.link) or NO_LINK

    @classmethod
    def link_at(cls, session: Session, seq: int) -> Link | None:
        """Return the link of that number, or None."""
        entry = session.scalars(select(cls).where(cls.seq == seq)).first()
        return None if entry is None else entry.link

    @classmethod
    def unsealed(cls, session: Session, limit: int) -> Sequence[Row[uuid.UUID, bytes]]:
        """Return (id, mac) of entries that are in no chain yet, the oldest first."""
        query = select(cls.id, cls.mac).where(cls.seq.is_(None)).order_by(cls.at, cls.id)
        return session.execute(query.limit(limit)).all()

    @classmethod
    def seal(cls, session: Session, links: dict[uuid.UUID, Link]) -> None:
        """Write the links of entries, in one statement."""
        params: dict[str, Any] = {
            "ids": list(links),
            "seqs": [link.seq for link in links.values()],
            "hashes": [link.hash for link in links.values()],
        }
        session.execute(_SEAL, params)


_SEAL = text("""
    UPDATE audit_entries SET seq = sealed.seq, hash = sealed.hash
    FROM unnest(CAST(:ids AS uuid[]), CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[]))
      AS sealed (id, seq, hash)
    WHERE audit_entries.id = sealed.id
""")

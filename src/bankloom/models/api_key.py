"""API keys: kept as SHA-256, found by their public prefix, compared in constant time."""

from __future__ import annotations

import enum
import hmac
import secrets
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, delete, func, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId, sha256
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

PREFIX_LENGTH = 11
SECRET_BYTES = 32  # 256 random bits: no slow hash is needed for what can't be guessed
TOUCHED_EVERY = timedelta(minutes=1)
"""How exactly "last used" is known: not every request is worth a write."""


class Scope(enum.StrEnum):
    """What a key may do. None of them implies another."""

    READ = "read"
    SYNC = "sync"
    LINK = "link"
    ADMIN = "admin"


class NewKey(NamedTuple):
    """A key that was just made: its text, to be shown once, and what is stored of it."""

    text: str
    row: ApiKey


_ALL = ", ".join(f"'{scope}'" for scope in Scope)


class ApiKey(Base):
    """A key. `user_id` None reaches all users; the key itself is shown once and never stored.

    `owner` says in words who holds it. One that was `minted` was made over HTTP for an app's front
    end; `minted_by` takes it along when it is revoked, None being the key of the settings.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(
            f"cardinality(scopes) > 0 AND scopes <@ ARRAY[{_ALL}]::text[]", name="scopes"
        ),
        CheckConstraint("user_id IS NULL OR NOT 'admin' = ANY (scopes)", name="admin"),
    )

    id: Mapped[OurId]
    name: Mapped[str]
    owner: Mapped[str | None]
    prefix: Mapped[str] = mapped_column(unique=True)
    key_hash: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(server_default="{read}")
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    minted: Mapped[bool] = mapped_column(server_default="false")
    minted_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def create(  # noqa: PLR0913 - the columns that a maker chooses
        cls,
        session: Session,
        name: str,
        user_id: uuid.UUID | None = None,
        *,
        scopes: Collection[str] = (),
        owner: str | None = None,
        expires_at: datetime | None = None,
        minted: bool = False,
        minted_by: uuid.UUID | None = None,
    ) -> NewKey:
        """Store a new key and return it; this is the only time that it can be seen.

        No scopes means all that its reach allows: a user's key is never `admin`.
        """
        key = f"bl_{secrets.token_hex(4)}_{secrets.token_urlsafe(SECRET_BYTES)}"
        row = cls(
            id=uuid.uuid4(),
            name=name,
            owner=owner,
            prefix=key[:PREFIX_LENGTH],
            key_hash=sha256(key),
            scopes=[each for each in Scope if each in (scopes or fitting_scopes(user_id))],
            user_id=user_id,
            minted=minted,
            minted_by=minted_by,
            expires_at=expires_at,
        )
        session.add(row)
        return NewKey(key, row)

    @classmethod
    def verify(cls, session: Session, key: str, at: datetime) -> ApiKey | None:
        """Return the living key that this is, or None."""
        row = session.execute(
            select(cls).where(cls.prefix == key[:PREFIX_LENGTH])
        ).scalar_one_or_none()
        expected = row.key_hash if row else sha256("")
        same = hmac.compare_digest(sha256(key), expected)
        return row if same and row is not None and row.is_alive(at) else None

    def is_alive(self, at: datetime) -> bool:
        """Say whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    @classmethod
    def touch(cls, session: Session, key_id: uuid.UUID, at: datetime) -> None:
        """Note that it was used, unless it was noted within the last minute."""
        long_ago = or_(cls.last_used_at.is_(None), cls.last_used_at < at - TOUCHED_EVERY)
        session.execute(update(cls).where(cls.id == key_id, long_ago).values(last_used_at=at))

    @classmethod
    def listing(cls, session: Session) -> Sequence[Row[ApiKey, str | None]]:
        """Return (key, user name or None) rows, newest first."""
        query = select(cls, User.name).join(User, isouter=True)
        return session.execute(query.order_by(cls.created_at.desc(), cls.prefix)).all()

    @classmethod
    def find(cls, session: Session, name: uuid.UUID | str) -> ApiKey | None:
        """Return the key of that id or public prefix, or None; until this commit it mints nothing."""
        column = cls.id if isinstance(name, uuid.UUID) else cls.prefix
        found = select(cls).where(column == name).with_for_update()
        return session.execute(found).scalar_one_or_none()

    @classmethod
    def may_mint(cls, session: Session, key_id: uuid.UUID, at: datetime) -> bool:
        """Say whether it is alive; who revokes it waits for this commit, and ends what it minted too."""
        held = select(cls).where(cls.id == key_id).with_for_update(read=True)
        row = session.execute(held).scalar_one_or_none()
        return row is not None and row.is_alive(at)

    @classmethod
    def revoke(cls, session: Session, key_id: uuid.UUID, at: datetime) -> int:
        """End it, and what it minted, from this commit on; return how many keys that ended."""
        theirs = or_(cls.id == key_id, cls.minted_by == key_id)
        ended = session.execute(
            update(cls).where(theirs, cls.revoked_at.is_(None)).values(revoked_at=at)
        )
        return ended.rowcount  # type: ignore[attr-defined, no-any-return]  # a CursorResult

    @classmethod
    def forget_minted(cls, session: Session, before: datetime) -> None:
        """Delete the minted keys that ended before then: a front end makes many of them."""
        ended = func.least(cls.revoked_at, cls.expires_at)
        session.execute(delete(cls).where(cls.minted, ended < before))

    @classmethod
    def create_first(cls, session: Session, name: str) -> NewKey | None:
        """Store a new key and return it, unless one was ever made; of two callers at once, one gets it."""
        session.execute(text(f"LOCK TABLE {cls.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
        if session.execute(select(cls.id).limit(1)).first():
            return None
        return cls.create(session, name)


def fitting_scopes(user_id: uuid.UUID | None) -> list[Scope]:
    """Return the scopes that a key of that reach may have."""
    return [scope for scope in Scope if user_id is None or scope is not Scope.ADMIN]

"""API keys: kept as SHA-256, found by their public prefix, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, select, text
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PREFIX_LENGTH = 11
SECRET_BYTES = 32  # 256 random bits: no slow hash is needed for what can't be guessed


class ApiKey(Base):
    """A key. `user_id` None reaches all users; the key itself is shown once and never stored."""

    __tablename__ = "api_keys"

    id: Mapped[OurId]
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    key_hash: Mapped[str]
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def create(cls, session: Session, name: str, user_id: uuid.UUID | None = None) -> str:
        """Store a new key and return it; this is the only time that it can be seen."""
        key = f"bl_{secrets.token_hex(4)}_{secrets.token_urlsafe(SECRET_BYTES)}"
        session.add(
            cls(name=name, prefix=key[:PREFIX_LENGTH], key_hash=_sha256(key), user_id=user_id)
        )
        return key

    @classmethod
    def verify(cls, session: Session, key: str, at: datetime) -> ApiKey | None:
        """Return the living key that this is, or None."""
        row = session.execute(
            select(cls).where(cls.prefix == key[:PREFIX_LENGTH])
        ).scalar_one_or_none()
        expected = row.key_hash if row else _sha256("")
        same = hmac.compare_digest(_sha256(key), expected)
        living = (
            row is not None
            and row.revoked_at is None
            and (row.expires_at is None or row.expires_at > at)
        )
        return row if same and living else None

    @classmethod
    def create_first(cls, session: Session, name: str) -> str | None:
        """Store a new key and return it, unless one was ever made; of two callers at once, one gets it."""
        session.execute(text(f"LOCK TABLE {cls.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
        if session.execute(select(cls.id).limit(1)).first():
            return None
        return cls.create(session, name)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

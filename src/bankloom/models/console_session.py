"""The console's sign-in: codes that are good once, and sessions; both kept as SHA-256 only."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, sha256

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SECRET_BYTES = 32


class SignInCode(Base):
    """A code that signs in once. Whoever reads it in the terminal is the operator."""

    __tablename__ = "sign_in_codes"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]

    @classmethod
    def create(cls, session: Session, expires_at: datetime) -> str:
        """Store a new code and return it."""
        code = f"once_{secrets.token_urlsafe(SECRET_BYTES)}"
        session.add(cls(code_hash=sha256(code), expires_at=expires_at))
        return code

    @classmethod
    def spend(cls, session: Session, code: str, at: datetime) -> bool:
        """Use the code up; of two callers at once, one is told True."""
        spent = delete(cls).where(cls.code_hash == sha256(code), cls.expires_at > at)
        return session.execute(spent.returning(cls.code_hash)).first() is not None

    @classmethod
    def end_all(cls, session: Session) -> None:
        """Delete all codes."""
        session.execute(delete(cls))

    @classmethod
    def forget_old(cls, session: Session, at: datetime) -> None:
        """Delete the codes that nobody used in time."""
        session.execute(delete(cls).where(cls.expires_at <= at))


class ConsoleSession(Base):
    """A signed-in browser. It acts as the API key that it signed in with, and ends with that key.

    `settings_key_hash` is the keyed hash of BANKLOOM_API_KEY, if it signed in with that; neither of
    the two: it used a code, and is the operator's.
    """

    __tablename__ = "console_sessions"

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), index=True
    )
    settings_key_hash: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]

    @classmethod
    def create(
        cls,
        session: Session,
        expires_at: datetime,
        *,
        key_id: uuid.UUID | None = None,
        settings_key_hash: str | None = None,
    ) -> str:
        """Store a new session and return its id, which only the browser's cookie holds."""
        session_id = secrets.token_urlsafe(SECRET_BYTES)
        session.add(
            cls(
                id_hash=sha256(session_id),
                expires_at=expires_at,
                key_id=key_id,
                settings_key_hash=settings_key_hash,
            )
        )
        return session_id

    @classmethod
    def find(cls, session: Session, session_id: str, at: datetime) -> ConsoleSession | None:
        """Return the session, or None where it is unknown, signed out or over."""
        query = select(cls).where(cls.id_hash == sha256(session_id), cls.expires_at > at)
        return session.execute(query).scalar_one_or_none()

    @classmethod
    def end(cls, session: Session, session_id: str) -> None:
        """Sign out."""
        session.execute(delete(cls).where(cls.id_hash == sha256(session_id)))

    @classmethod
    def end_all(cls, session: Session) -> int:
        """Sign everybody out; return how many sessions that ended."""
        return len(session.execute(delete(cls).returning(cls.id_hash)).all())

    @classmethod
    def forget_old(cls, session: Session, at: datetime) -> None:
        """Delete the sessions that are over."""
        session.execute(delete(cls).where(cls.expires_at <= at))

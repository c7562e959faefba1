"""Self-test keys: the public halves that `bankloom webhooks self-test` signs with for some minutes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class SelfTestKey(Base):
    """A public JWK that may sign nothing but deliveries of the self-test, until it expires."""

    __tablename__ = "self_test_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[str]
    expires_at: Mapped[datetime]

    @classmethod
    def add(cls, session: Session, kid: str, jwk: str, at: datetime, expires_at: datetime) -> None:
        """Store a key, and forget those that have expired."""
        session.execute(delete(cls).where(cls.expires_at <= at))
        session.add(cls(kid=kid, jwk=jwk, expires_at=expires_at))

    @classmethod
    def find(cls, session: Session, kid: str, at: datetime) -> SelfTestKey | None:
        """Return the key, or None where there is none or it has expired."""
        return session.execute(
            select(cls).where(cls.kid == kid, cls.expires_at > at)
        ).scalar_one_or_none()

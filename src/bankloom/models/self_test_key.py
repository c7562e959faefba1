"""Self-test keys: the public halves that `bankloom webhooks self-test` signs with for some minutes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base


class SelfTestKey(Base):
    """A public JWK that may sign nothing but deliveries of the self-test, until it expires."""

    __tablename__ = "self_test_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[str]
    expires_at: Mapped[datetime]

"""Link sessions: who opened Link, for which products, and the sealed link token to ask with."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.models.item import World

ASKABLE_AFTER_EXPIRY = timedelta(hours=6)
"""Plaid keeps a session's results for six hours after it ended (spec `LinkTokenGetResponse`)."""


class LinkSession(Base):
    """One link token. The sealed token is wiped once Plaid can't be asked about it any more."""

    __tablename__ = "link_sessions"
    __table_args__ = (
        Index(
            "link_sessions_open_idx",
            text("created_at DESC"),
            postgresql_where=text("link_token_sealed IS NOT NULL"),
        ),
    )

    id: Mapped[OurId]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    world: Mapped[str]
    products: Mapped[list[str]]
    link_token_sealed: Mapped[str | None]
    link_token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]

    @classmethod
    def find_by_token_hash(cls, session: Session, token_hash: str) -> LinkSession | None:
        """Return the session whose link token has this keyed hash, or None."""
        return session.execute(
            select(cls).where(cls.link_token_hash == token_hash)
        ).scalar_one_or_none()

    @classmethod
    def newest_open(
        cls, session: Session, world: World, user_id: uuid.UUID | None, limit: int
    ) -> Sequence[LinkSession]:
        """Return the newest sessions that this Plaid can still be asked about, of one user or all."""
        query = select(cls).where(cls.link_token_sealed.is_not(None), cls.world == str(world))
        if user_id is not None:
            query = query.where(cls.user_id == user_id)
        return session.scalars(query.order_by(cls.created_at.desc()).limit(limit)).all()

    @classmethod
    def wipe_old(cls, session: Session, at: datetime) -> None:
        """Forget the link tokens that Plaid no longer answers for, but for those in other hands.

        Every call does this, so none waits for another's: two might wait for each other.
        """
        old = (
            select(cls.id)
            .where(cls.link_token_sealed.is_not(None), cls.expires_at < at - ASKABLE_AFTER_EXPIRY)
            .with_for_update(key_share=True, skip_locked=True)
        )
        session.execute(update(cls).where(cls.id.in_(old)).values(link_token_sealed=None))

"""Link sessions: who opened Link, for which products, and the sealed link token to ask with."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from bankloom.models.item import World

ASKABLE_AFTER_EXPIRY = timedelta(hours=6)
"""Plaid keeps a session's results for six hours after it ended (spec `LinkTokenGetResponse`)."""


class LinkPurpose(enum.StrEnum):
    """What Link was opened for: a new Item, or one of the reasons for update mode."""

    LINK = "link"
    REPAIR = "repair"
    ACCOUNTS = "accounts"
    PRODUCTS = "products"


class LinkSession(Base):
    """One link token. The sealed token is wiped once Plaid can't be asked about it any more.

    All purposes but `link` are update mode of `item_id`. A session that is `hosted` has no page
    that calls us back, so its public tokens are exchanged by us. `poll_at` is when Plaid is asked
    what became of the session; None: nobody waits for that, or it is known (`finished_at`).
    """

    __tablename__ = "link_sessions"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ({})".format(", ".join(f"'{each}'" for each in LinkPurpose)), "purpose"
        ),
        Index("link_sessions_poll_idx", "poll_at", postgresql_where=text("poll_at IS NOT NULL")),
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
    purpose: Mapped[str] = mapped_column(server_default=LinkPurpose.LINK)
    item_id: Mapped[str | None] = mapped_column(ForeignKey("items.item_id"))
    hosted: Mapped[bool] = mapped_column(server_default="false")
    poll_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    exchanged_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def find_by_token_hash(cls, session: Session, token_hash: str) -> LinkSession | None:
        """Return the session whose link token has this keyed hash, or None."""
        return session.execute(
            select(cls).where(cls.link_token_hash == token_hash)
        ).scalar_one_or_none()

    @classmethod
    def newest_open(
        cls,
        session: Session,
        world: World,
        limit: int,
        *,
        session_id: uuid.UUID | None,
        user_id: uuid.UUID | None,
    ) -> Sequence[Row[LinkSession, str]]:
        """Return (session, user name) rows that this Plaid can still be asked about.

        First the named session, then the named user's, then those that nothing was exchanged of
        yet, and the newest first.
        """
        likeliest_first = (
            cls.id.is_not_distinct_from(session_id).desc(),
            cls.user_id.is_not_distinct_from(user_id).desc(),
            cls.exchanged_at.is_not(None),
            cls.created_at.desc(),
        )
        askable = (cls.link_token_sealed.is_not(None), cls.world == str(world))
        query = select(cls, User.name).join(User).where(*askable)
        return session.execute(query.order_by(*likeliest_first).limit(limit)).all()

    @classmethod
    def note_exchange(cls, session: Session, session_id: uuid.UUID, at: datetime) -> None:
        """Record that a public token of this session was exchanged."""
        session.execute(update(cls).where(cls.id == session_id).values(exchanged_at=at))

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

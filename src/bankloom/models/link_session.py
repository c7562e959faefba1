"""Link sessions: who opened Link, for which products, and the sealed link token to ask with."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    and_,
    case,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session

    from bankloom.models.item import World

ASKABLE_AFTER_EXPIRY = timedelta(hours=6)
"""Plaid keeps a session's results for six hours after it ended (spec `LinkTokenGetResponse`)."""

FORGOTTEN_AT_ONCE_MAX = 10_000


class LinkPurpose(enum.StrEnum):
    """What Link was opened for: a new Item, or one of the reasons for update mode."""

    LINK = "link"
    REPAIR = "repair"
    ACCOUNTS = "accounts"
    PRODUCTS = "products"


class LinkState(enum.StrEnum):
    """How a Link session stands; one that the person left may be opened again until it expires."""

    OPEN = "open"
    FINISHED = "finished"
    LOST = "lost"
    EXITED = "exited"
    EXPIRED = "expired"


class LinkSession(Base):
    """One link token. The sealed token is wiped once Plaid can't be asked about it any more.

    All purposes but `link` are update mode of `item_id`. A session that is `hosted` has no page
    that calls us back, so its public tokens are exchanged by us. `poll_at` is when Plaid is asked
    what became of the session; None: nobody waits for that, or it is known. `finished_at` is when
    we knew that the person got through, and had done what follows from it; `exited_at` when they
    were last seen to leave. `lost`: they got through, but nothing came of it, since none of their
    public tokens could be exchanged any more.
    """

    __tablename__ = "link_sessions"
    __table_args__ = (
        Index("link_sessions_sealed_key_idx", text("split_part(link_token_sealed, '.', 2)"), "id"),
        CheckConstraint(
            "purpose IN ({})".format(", ".join(f"'{each}'" for each in LinkPurpose)), "purpose"
        ),
        Index("link_sessions_poll_idx", "poll_at", postgresql_where=text("poll_at IS NOT NULL")),
        Index(
            "link_sessions_open_idx",
            text("created_at DESC"),
            postgresql_where=text("link_token_sealed IS NOT NULL"),
        ),
        Index("link_sessions_item_idx", "item_id", postgresql_where=text("item_id IS NOT NULL")),
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
    exited_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lost: Mapped[bool] = mapped_column(server_default="false")
    linked_item_ids: Mapped[list[str]] = mapped_column(server_default="{}")
    exchanged_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @property
    def is_finished_by_us(self) -> bool:
        """Whether we see to the end of it: hosted, or update mode; else the app exchanges its tokens."""
        return self.hosted or self.item_id is not None

    @classmethod
    def find_by_token_hash(cls, session: Session, token_hash: str) -> LinkSession | None:
        """Return the session whose link token has this keyed hash, or None."""
        return session.execute(
            select(cls).where(cls.link_token_hash == token_hash)
        ).scalar_one_or_none()

    @classmethod
    def newest_open(  # noqa: PLR0913 - whose come first, and whose alone
        cls,
        session: Session,
        world: World,
        limit: int,
        *,
        session_id: uuid.UUID | None,
        user_id: uuid.UUID | None,
        only_of: uuid.UUID | None = None,
    ) -> Sequence[Row[LinkSession, str]]:
        """Return (session, user name) rows that this Plaid can still be asked about, of all or one user.

        First the named session, then the named user's, then those for new Items, then those that
        nothing was exchanged of yet, and the newest first.
        """
        likeliest_first = (
            cls.id.is_not_distinct_from(session_id).desc(),
            cls.user_id.is_not_distinct_from(user_id).desc(),
            cls.purpose != LinkPurpose.LINK,
            cls.exchanged_at.is_not(None),
            cls.created_at.desc(),
        )
        askable = (cls.link_token_sealed.is_not(None), cls.world == str(world))
        query = select(cls, User.name).join(User).where(*askable)
        if only_of is not None:
            query = query.where(cls.user_id == only_of)
        return session.execute(query.order_by(*likeliest_first).limit(limit)).all()

    @classmethod
    def find(
        cls, session: Session, session_id: uuid.UUID, at: datetime
    ) -> Row[LinkSession, str, str] | None:
        """Return (session, state, user name), or None."""
        query = select(cls, cls._state(at), User.name).join(User)
        return session.execute(query.where(cls.id == session_id)).one_or_none()

    @classmethod
    def listing(
        cls,
        session: Session,
        at: datetime,
        user_id: uuid.UUID | None,
        state: str | None,
        limit: int,
    ) -> Sequence[Row[LinkSession, str, str]]:
        """Return (session, state, user name) rows of one user or of all, the newest first."""
        query = select(cls, cls._state(at), User.name).join(User)
        if user_id is not None:
            query = query.where(cls.user_id == user_id)
        if state is not None:
            query = query.where(cls._state(at) == state)
        return session.execute(query.order_by(cls.created_at.desc(), cls.id).limit(limit)).all()

    @classmethod
    def _state(cls, at: datetime) -> ColumnElement[str]:
        """Say how a session stands; those that the app exchanges itself are finished by that."""
        exchanged_by_app = and_(cls.hosted.is_(False), cls.exchanged_at.is_not(None))
        return case(
            (cls.lost, LinkState.LOST),
            (or_(cls.finished_at.is_not(None), exchanged_by_app), LinkState.FINISHED),
            (cls.exited_at.is_not(None), LinkState.EXITED),
            (cls.expires_at <= at, LinkState.EXPIRED),
            else_=LinkState.OPEN,
        )

    @classmethod
    def newest_update(
        cls, session: Session, item_id: str, session_id: uuid.UUID | None
    ) -> LinkSession | None:
        """Return the newest update-mode session of the Item that is waited for, or the named one."""
        query = select(cls).where(cls.item_id == item_id)
        query = query.where(
            cls.poll_at.is_not(None) if session_id is None else cls.id == session_id
        )
        return session.scalars(query.order_by(cls.created_at.desc()).limit(1)).one_or_none()

    @classmethod
    def claim_due(
        cls, session: Session, world: World, at: datetime, lease_until: datetime, limit: int
    ) -> Sequence[LinkSession]:
        """Claim sessions that Plaid is to be asked about; of several workers that ask, one gets each.

        One whose worker dies is due again when the lease is over.
        """
        due = (
            select(cls.id)
            .where(cls.poll_at <= at, cls.world == str(world), cls.link_token_sealed.is_not(None))
            .order_by(cls.poll_at)
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
        )
        return session.scalars(
            update(cls).where(cls.id.in_(due)).values(poll_at=lease_until).returning(cls)
        ).all()

    @classmethod
    def ask_again(
        cls,
        session: Session,
        session_id: uuid.UUID,
        poll_at: datetime | None,
        *,
        exited_at: datetime | None = None,
    ) -> None:
        """Write when Plaid is asked next about a session that has not finished; None: never again."""
        session.execute(
            update(cls)
            .where(cls.id == session_id, cls.finished_at.is_(None))
            .values(poll_at=poll_at, exited_at=func.coalesce(exited_at, cls.exited_at))
        )

    @classmethod
    def finish(
        cls, session: Session, session_id: uuid.UUID, at: datetime, *, lost: bool = False
    ) -> bool:
        """Record that the person got through; say whether that was news."""
        finished = session.execute(
            update(cls)
            .where(cls.id == session_id, cls.finished_at.is_(None))
            .values(finished_at=at, poll_at=None, lost=lost)
            .returning(cls.id)
        )
        return finished.scalar_one_or_none() is not None

    @classmethod
    def note_exchange(
        cls, session: Session, session_id: uuid.UUID, item_id: str, at: datetime
    ) -> None:
        """Record that a public token of this session was exchanged for this Item."""
        others = func.array_remove(cls.linked_item_ids, item_id)
        session.execute(
            update(cls)
            .where(cls.id == session_id)
            .values(exchanged_at=at, linked_item_ids=func.array_append(others, item_id))
        )

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
        wiped = {"link_token_sealed": None, "poll_at": None}
        session.execute(update(cls).where(cls.id.in_(old)).values(wiped))

    @classmethod
    def forget_old(cls, session: Session, before: datetime) -> None:
        """Delete sessions that began before an instant and that nothing refers to, a bounded number."""
        session.execute(_FORGET_OLD, {"before": before, "most": FORGOTTEN_AT_ONCE_MAX})


_FORGET_OLD = text("""
    DELETE FROM link_sessions WHERE id IN (
        SELECT s.id FROM link_sessions s
        WHERE s.link_token_sealed IS NULL AND s.created_at < :before
          AND NOT EXISTS (SELECT FROM exchange_claims c WHERE c.link_session_id = s.id)
        ORDER BY s.created_at LIMIT :most
    )
""")

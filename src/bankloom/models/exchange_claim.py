"""Exchange claims: the record, written before Plaid is called, of who spends which public token."""

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
    delete,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt
from bankloom.models.link_session import LinkSession
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session

    from bankloom.models.item import World

PUBLIC_TOKEN_LIFETIME = timedelta(minutes=30)
"""Spec path `/item/public_token/exchange`: a public token expires after 30 minutes."""

HELD_KEPT = timedelta(days=30)
"""How long a duplicate that nobody decided on is shown; its token has long expired by then."""


class ClaimState(enum.StrEnum):
    """Where an exchange stands."""

    CLAIMED = "claimed"
    DONE = "done"
    HELD = "held"
    DISCARDED = "discarded"
    POSSIBLE_ORPHAN = "possible orphan"


class ExchangeClaim(Base):
    """One public token, by its keyed hash.

    While `claimed`, one process holds the lease and may call Plaid. `done` answers later calls
    for the same person for 30 minutes. `held`: nobody was there to be told that the accounts are
    linked already, in `duplicate_of`; it waits for a person's decision, which may leave it
    `discarded`. `possible orphan`: Plaid took the token, but its answer was lost before we could
    store it (decision 17's documented exception).
    """

    __tablename__ = "exchange_claims"
    __table_args__ = (
        Index(
            "exchange_claims_sealed_key_idx",
            text("split_part(public_token_sealed, '.', 2)"),
            "public_token_hash",
        ),
        CheckConstraint(
            "state IN ({})".format(", ".join(f"'{state}'" for state in ClaimState)), "state"
        ),
        Index(
            "exchange_claims_held_idx",
            "link_session_id",
            postgresql_where=text("state = 'held'"),
        ),
    )

    public_token_hash: Mapped[str] = mapped_column(primary_key=True)
    public_token_sealed: Mapped[str | None]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    link_session_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("link_sessions.id"))
    world: Mapped[str]
    product: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=ClaimState.CLAIMED)
    lease_until: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="1")
    item_id: Mapped[str | None] = mapped_column(ForeignKey("items.item_id"))
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("items.item_id"))
    exchanged_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @property
    def spendable_until(self) -> datetime:
        """When the public token has expired at the latest: it is a little older than its claim."""
        return self.created_at + PUBLIC_TOKEN_LIFETIME

    def answers(self, at: datetime) -> bool:
        """Say whether this record may still answer: for 30 minutes after the exchange."""
        return self.exchanged_at is not None and at - self.exchanged_at < PUBLIC_TOKEN_LIFETIME

    @classmethod
    def find(cls, session: Session, token_hash: str) -> Row[ExchangeClaim, str] | None:
        """Return (claim, user name) of this public token, or None."""
        return session.execute(
            select(cls, User.name).join(User).where(cls.public_token_hash == token_hash)
        ).one_or_none()

    @classmethod
    def take(
        cls, session: Session, claim: ExchangeClaim, at: datetime, *, even_held: bool = False
    ) -> int | None:
        """Claim the token, or take over a claim whose lease ran out, or one that is held.

        Returns which attempt this is, or None where another holds the claim. 1 is the first, before
        which nothing can have been spent: a token that was held has not been tried yet.
        """
        is_left = (cls.state == ClaimState.CLAIMED) & (cls.lease_until < at)
        is_held = cls.state == ClaimState.HELD
        row = insert(cls).values(
            public_token_hash=claim.public_token_hash,
            public_token_sealed=claim.public_token_sealed,
            user_id=claim.user_id,
            link_session_id=claim.link_session_id,
            world=claim.world,
            product=claim.product,
            lease_until=claim.lease_until,
        )
        return session.execute(
            row.on_conflict_do_update(
                index_elements=[cls.public_token_hash],
                set_={
                    "state": ClaimState.CLAIMED,
                    "lease_until": claim.lease_until,
                    "attempts": case((is_held, cls.attempts), else_=cls.attempts + 1),
                },
                where=(is_left | is_held if even_held else is_left)
                & (cls.user_id == claim.user_id),
            ).returning(cls.attempts)
        ).scalar_one_or_none()

    @classmethod
    def settle(cls, session: Session, token_hash: str, item_id: str, at: datetime) -> str | None:
        """Record that the token was exchanged for this Item; return the product it was claimed for.

        That is the first call's, whose answer from Plaid may have been lost.
        """
        settled = session.execute(
            update(cls)
            .where(cls.public_token_hash == token_hash)
            .values(
                state=ClaimState.DONE, item_id=item_id, exchanged_at=at, public_token_sealed=None
            )
            .returning(cls.product)
        )
        return settled.scalar_one_or_none()

    @classmethod
    def lock(cls, session: Session, token_hash: str) -> str | None:
        """Wait until no other connection is about to change the claim; return its state."""
        return session.execute(
            select(cls.state).where(cls.public_token_hash == token_hash).with_for_update()
        ).scalar_one_or_none()

    @classmethod
    def hold(cls, session: Session, token_hash: str, duplicate_of: str) -> None:
        """Leave the token to a person: these accounts are linked already, in that Item."""
        held = {"state": ClaimState.HELD, "duplicate_of": duplicate_of}
        session.execute(update(cls).where(cls.public_token_hash == token_hash).values(held))

    @classmethod
    def held_of(
        cls, session: Session, session_ids: Collection[uuid.UUID]
    ) -> Sequence[ExchangeClaim]:
        """Return the duplicates of these Link sessions that wait for a decision, oldest first."""
        held = select(cls).where(cls.link_session_id.in_(session_ids), cls.state == ClaimState.HELD)
        return session.scalars(held.order_by(cls.created_at, cls.public_token_hash)).all()

    @classmethod
    def discard(cls, session: Session, token_hash: str) -> None:
        """Decide that a held token is never spent; it stays known, so that nothing holds it again."""
        held = (cls.public_token_hash == token_hash) & (cls.state == ClaimState.HELD)
        discarded = {"state": ClaimState.DISCARDED, "public_token_sealed": None}
        session.execute(update(cls).where(held).values(discarded))

    @classmethod
    def release(cls, session: Session, token_hash: str, attempt: int) -> uuid.UUID | None:
        """Forget a claim that spent nothing at Plaid; return whose it was, if it still was ours.

        One that had been held for a decision is held again.
        """
        mine = cls._held_by(token_hash, attempt)
        was_held = mine & cls.duplicate_of.is_not(None)
        session.execute(update(cls).where(was_held).values(state=ClaimState.HELD))
        return session.execute(delete(cls).where(mine).returning(cls.user_id)).scalar_one_or_none()

    @classmethod
    def renew(cls, session: Session, token_hash: str, attempt: int, until: datetime) -> bool:
        """Hold the claim for longer; say whether it still is this attempt's."""
        mine = cls._held_by(token_hash, attempt)
        renewed = update(cls).where(mine).values(lease_until=until).returning(cls.attempts)
        return session.execute(renewed).scalar_one_or_none() is not None

    @classmethod
    def end_lease(cls, session: Session, token_hash: str, attempt: int, at: datetime) -> None:
        """Let the next call try again: Plaid's answer is not known."""
        mine = cls._held_by(token_hash, attempt)
        session.execute(update(cls).where(mine).values(lease_until=at))

    @classmethod
    def mark_possible_orphan(cls, session: Session, token_hash: str, attempt: int) -> bool:
        """Record that Plaid had taken the token before, and its answer was lost; say if it was ours."""
        lost = {"state": ClaimState.POSSIBLE_ORPHAN, "public_token_sealed": None}
        mine = cls._held_by(token_hash, attempt)
        marked = session.execute(update(cls).where(mine).values(lost).returning(cls.attempts))
        return marked.scalar_one_or_none() is not None

    @classmethod
    def _held_by(cls, token_hash: str, attempt: int) -> ColumnElement[bool]:
        return and_(
            cls.public_token_hash == token_hash,
            cls.state == ClaimState.CLAIMED,
            cls.attempts == attempt,
        )

    @classmethod
    def any_open_of(cls, session: Session, user_id: uuid.UUID) -> bool:
        """Say whether an exchange of this user is not settled: it may end in an Item."""
        theirs = select(cls.state).where(cls.user_id == user_id, cls.state == ClaimState.CLAIMED)
        return session.execute(theirs.limit(1)).first() is not None

    @classmethod
    def left_over(
        cls, session: Session, world: World, at: datetime, limit: int
    ) -> Sequence[Row[ExchangeClaim, str]]:
        """Return (claim, user name) rows of this world that a crash left open.

        The one that was tried longest ago comes first: one that Plaid hangs on must not stay first.
        """
        return session.execute(
            select(cls, User.name)
            .join(User)
            .where(
                cls.state == ClaimState.CLAIMED,
                cls.lease_until < at,
                cls.world == str(world),
            )
            .order_by(cls.lease_until)
            .limit(limit)
        ).all()

    @classmethod
    def wipe_old(cls, session: Session, at: datetime) -> None:
        """Forget claims that can answer nothing any more; possible orphans stay for the operator.

        Those of a session that Plaid is still asked about stay too: its answers name their tokens.
        """
        old = at - 2 * PUBLIC_TOKEN_LIFETIME
        asked = select(LinkSession.id).where(
            LinkSession.id == cls.link_session_id, LinkSession.poll_at.is_not(None)
        )
        session.execute(
            delete(cls).where(
                or_(
                    and_(
                        cls.state == ClaimState.DONE,
                        or_(cls.exchanged_at.is_(None), cls.exchanged_at < old),
                    ),
                    and_(cls.state == ClaimState.DISCARDED, cls.created_at < old),
                    and_(cls.state == ClaimState.HELD, cls.created_at < at - HELD_KEPT),
                ),
                ~asked.exists(),
            )
        )

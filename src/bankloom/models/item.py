"""Items: one login at one Institution each, with its sealed access token and its fence."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, Index, bindparam, func, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt
from bankloom.models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session


class World(NamedTuple):
    """Where an Item lives: an access token of one world means nothing in another."""

    environment: str
    base_url: str
    client_id: str

    def __str__(self) -> str:
        return f"{self.environment} at {self.base_url} (client {self.client_id or 'unset'})"


class Standing(NamedTuple):
    """Whether an Item is still ours, and where it lives."""

    world: World
    removed: bool


class ItemState(enum.StrEnum):
    """How an Item is, all told; docs/item_states.md draws it."""

    NEW = "new"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    NEEDS_RELINK = "needs re-link"
    DISCONNECTING = "disconnecting"
    REVOKED = "revoked"
    REMOVED = "removed"


STATES_FOR_A_PERSON = (ItemState.NEEDS_RELINK, ItemState.DISCONNECTING, ItemState.REVOKED)
"""The states of which only a person brings an Item back, or keeps it from the worst."""


class Item(Base):
    """One login at one Institution; `item_id` is Plaid's.

    `run_id` and `token_generation` are the fence: a commit that changes the Item locks this row
    and finds both as it read them, or discards its work.

    How the Item is: only `services/item_health.py` writes `state`, why it is so and since when,
    and `error_code`, which stands where a person must act. They follow from
    `reported_error_code`, which is Plaid's last word on the Item itself, from `proven_at`, when a
    call for its data last went well, from `disconnect_at`, when Plaid announced to cut it off,
    and from its product tags.

    `check_at` is when the Item itself is due: then `/item/get` is asked, and the balances are read.
    Until `cooling_until` nothing of it is asked, because Plaid said that it was asked too much.
    `token_asked_at` is when Plaid was asked for another access token; while its answer is not
    stored, the present one may be void.
    `bank_updated_at` and `bank_failed_at` are when Plaid last reached the bank for transactions,
    and last failed to (spec `ItemStatus`).

    Of a removed Item the access token is destroyed; a row that stays is the history that was kept.
    """

    __tablename__ = "items"
    __table_args__ = (
        Index("items_sealed_key_idx", text("split_part(access_token_sealed, '.', 2)"), "item_id"),
        CheckConstraint(
            "state IN ({})".format(", ".join(f"'{state}'" for state in ItemState)), "state"
        ),
        Index(
            "items_check_idx",
            "check_at",
            postgresql_where=text("check_at IS NOT NULL AND removed_at IS NULL"),
        ),
        CheckConstraint(
            "removed_at IS NOT NULL"
            " OR (access_token_sealed IS NOT NULL AND access_token_hash IS NOT NULL)",
            "token",
        ),
    )

    item_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    institution_id: Mapped[str | None]
    environment: Mapped[str]
    base_url: Mapped[str]
    client_id: Mapped[str]
    access_token_sealed: Mapped[str] = mapped_column(nullable=True)  # null: see the class
    access_token_hash: Mapped[str] = mapped_column(nullable=True, unique=True)
    token_generation: Mapped[int] = mapped_column(server_default="1")
    token_asked_at: Mapped[datetime | None]
    run_id: Mapped[uuid.UUID | None]
    webhook_url: Mapped[str | None]
    consent_expires_at: Mapped[datetime | None]
    reported_error_code: Mapped[str | None]
    error_code: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=ItemState.NEW)
    state_reason: Mapped[str | None]
    state_since: Mapped[datetime] = mapped_column(server_default=func.now())
    proven_at: Mapped[datetime | None]
    check_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    bank_updated_at: Mapped[datetime | None]
    bank_failed_at: Mapped[datetime | None]
    disconnect_at: Mapped[datetime | None]
    disconnect_reason: Mapped[str | None]
    repaired_at: Mapped[datetime | None]
    new_accounts_at: Mapped[datetime | None]
    cooling_until: Mapped[datetime | None]
    coolings: Mapped[int] = mapped_column(server_default="0")
    days_requested: Mapped[int | None]
    described_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    removed_at: Mapped[datetime | None]

    @property
    def world(self) -> World:
        """The world that this Item was linked in."""
        return World(self.environment, self.base_url, self.client_id)

    def put_off_check(self, until: datetime) -> None:
        """Let the Item not be looked at before an instant."""
        if self.check_at is not None:
            self.check_at = max(self.check_at, until)

    @classmethod
    def due_checks(cls, session: Session, at: datetime, limit: int) -> Sequence[str]:
        """Return the Items that are due to be looked at, the longest due first."""
        due = select(cls.item_id).where(cls.check_at <= at, cls.removed_at.is_(None))
        return session.scalars(due.order_by(cls.check_at).limit(limit)).all()

    @classmethod
    def find(cls, session: Session, item_id: str) -> Item | None:
        """Return the Item, or None where there is none or it was removed."""
        return session.execute(
            select(cls).where(cls.item_id == item_id, cls.removed_at.is_(None))
        ).scalar_one_or_none()

    @classmethod
    def is_held(cls, session: Session, item_id: str) -> bool:
        """Say whether we hold the Item, even if this session is confined to another user than its own."""
        return bool(session.execute(_IS_HELD, {"item_id": item_id}).scalar_one())

    @classmethod
    def find_kept(cls, session: Session, item_id: str) -> Item | None:
        """Return the Item, also where it was removed and its row is still here."""
        return session.execute(select(cls).where(cls.item_id == item_id)).scalar_one_or_none()

    @classmethod
    def ids_of_user(cls, session: Session, user_id: uuid.UUID) -> Sequence[str]:
        """Return all Items of a user, the removed ones too, oldest first."""
        theirs = select(cls.item_id).where(cls.user_id == user_id)
        return session.scalars(theirs.order_by(cls.created_at, cls.item_id)).all()

    @classmethod
    def revoked_before(
        cls, session: Session, before: datetime, error_code: str, limit: int
    ) -> Sequence[Item]:
        """Return the Items that have been revoked since before an instant, for this reason."""
        revoked = select(cls).where(
            cls.state == ItemState.REVOKED,
            cls.error_code == error_code,
            cls.state_since <= before,
            cls.removed_at.is_(None),
        )
        return session.scalars(revoked.order_by(cls.state_since).limit(limit)).all()

    @classmethod
    def standing(cls, session: Session, item_id: str) -> Standing | None:
        """Return how an Item stands, removed or not; None where we have never held it."""
        row = session.execute(_STANDING, {"item_id": item_id}).one_or_none()
        return Standing(World(*row[:3]), row.removed_at is not None) if row else None

    @classmethod
    def find_by_token_hash(cls, session: Session, token_hash: str) -> Item | None:
        """Return the Item whose access token has this keyed hash, or None."""
        return session.execute(
            select(cls).where(cls.access_token_hash == token_hash, cls.removed_at.is_(None))
        ).scalar_one_or_none()

    @classmethod
    def listing(
        cls,
        session: Session,
        user_id: uuid.UUID | None,
        *,
        item_id: str | None = None,
        states: Sequence[str] = (),
    ) -> Sequence[Row[Item, str]]:
        """Return (Item, user name) rows of one user or of all, oldest first.

        Removed ones, whose history was kept, are listed only where they are asked for.
        """
        query = select(cls, User.name).join(User)
        if item_id is None and ItemState.REMOVED not in states:
            query = query.where(cls.removed_at.is_(None))
        if user_id is not None:
            query = query.where(cls.user_id == user_id)
        if item_id is not None:
            query = query.where(cls.item_id == item_id)
        if states:
            query = query.where(cls.state.in_(states))
        return session.execute(query.order_by(cls.created_at, cls.item_id)).all()

    @classmethod
    def for_a_person(
        cls, session: Session, error_codes: Collection[str], limit: int
    ) -> Sequence[Row[Item, str]]:
        """Return (Item, user name) rows in a state or an error that a person must mend, oldest first."""
        theirs = or_(cls.state.in_(STATES_FOR_A_PERSON), cls.error_code.in_(error_codes))
        query = select(cls, User.name).join(User).where(cls.removed_at.is_(None), theirs)
        return session.execute(query.order_by(cls.state_since, cls.item_id).limit(limit)).all()

    @classmethod
    def worlds(cls, session: Session) -> list[World]:
        """Return the distinct worlds of the Items that are not removed."""
        rows = session.execute(
            select(cls.environment, cls.base_url, cls.client_id)
            .where(cls.removed_at.is_(None))
            .distinct()
        )
        return [World(*row) for row in rows]

    @classmethod
    def lock(cls, session: Session, item_id: str) -> Item | None:
        """Lock the Item for this commit; None where there is none or it was removed.

        The lock lets rows that refer to the Item be inserted: a request for a run must not wait
        for the run that is at work, nor that one for the request.
        """
        return session.execute(
            select(cls)
            .where(cls.item_id == item_id, cls.removed_at.is_(None))
            .with_for_update(key_share=True)
        ).scalar_one_or_none()

    @classmethod
    def lock_kept(cls, session: Session, item_id: str) -> None:
        """Lock the Item for this commit in the same way, removed or not."""
        row = select(cls.item_id).where(cls.item_id == item_id)
        session.execute(row.with_for_update(key_share=True))

    @classmethod
    def hold(
        cls, session: Session, item_id: str, run_id: uuid.UUID, token_generation: int
    ) -> Item | None:
        """Lock the Item for this commit if the run still holds it; None if it was superseded."""
        return session.execute(
            select(cls)
            .where(
                cls.item_id == item_id,
                cls.run_id == run_id,
                cls.token_generation == token_generation,
                cls.removed_at.is_(None),
            )
            .with_for_update(key_share=True)
        ).scalar_one_or_none()


_IS_HELD = text("SELECT bankloom.holds_item(:item_id)")

# Built once: a webhook's answer waits for it.
_STANDING = select(Item.environment, Item.base_url, Item.client_id, Item.removed_at).where(
    Item.item_id == bindparam("item_id")
)

"""Webhook deliveries: what Plaid sent and we believed, as received, and what was done about it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, OurId, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session


FORGOTTEN_AT_ONCE_MAX = 5000
KIDS_FROM_MAX = 500  # Plaid has a few keys at a time


class WebhookDelivery(Base):
    """One verified delivery, unique by the SHA-256 of its JWT, which binds the body.

    Equal bodies are distinct events; one delivery that came twice is one row. `body_sealed` is the
    raw body under the keyring, because those of Link carry public tokens. `item_id` is what the
    body names, whether or not we hold that Item. `handled_at` is stamped only on success;
    `next_try_at` is when an unhandled one is tried again, None where it waits for something else.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("webhook_deliveries_sealed_key_idx", text("split_part(body_sealed, '.', 2)"), "id"),
        Index("webhook_deliveries_newest_idx", text("received_at DESC"), text("id DESC")),
        Index(
            "webhook_deliveries_due_idx",
            "next_try_at",
            postgresql_where=text("handled_at IS NULL AND next_try_at IS NOT NULL"),
        ),
        Index(
            "webhook_deliveries_waiting_idx",
            "item_id",
            postgresql_where=text("handled_at IS NULL"),
        ),
        Index("webhook_deliveries_item_idx", "item_id"),
    )

    id: Mapped[OurId]
    jwt_hash: Mapped[str] = mapped_column(unique=True)
    kid: Mapped[str]
    issued_at: Mapped[dt.datetime]
    received_at: Mapped[dt.datetime]
    webhook_type: Mapped[str]
    webhook_code: Mapped[str]
    item_id: Mapped[str | None]
    body_sealed: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[dt.datetime | None]
    handled_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None]

    @classmethod
    def put(cls, session: Session, **values: Any) -> uuid.UUID | None:
        """Store a delivery and return its id; None where it came before, and nothing is to be done."""
        return session.execute(_PUT, values).scalar_one_or_none()

    @classmethod
    def waiting_of_item(cls, session: Session, item_id: str) -> Sequence[WebhookDelivery]:
        """Return what was received of the Item and is not handled, in the order that it came."""
        waiting = select(cls).where(cls.item_id == item_id, cls.handled_at.is_(None))
        return session.scalars(waiting.order_by(cls.received_at, cls.id)).all()

    @classmethod
    def due(
        cls, session: Session, at: dt.datetime, types: Collection[str], limit: int
    ) -> Sequence[WebhookDelivery]:
        """Return the unhandled deliveries of these types that are to be tried, the longest due first."""
        waiting = select(cls).where(
            cls.handled_at.is_(None), cls.next_try_at <= at, cls.webhook_type.in_(types)
        )
        return session.scalars(waiting.order_by(cls.next_try_at).limit(limit)).all()

    @classmethod
    def mark_handled(
        cls, session: Session, ids: Collection[uuid.UUID], at: dt.datetime, outcome: str
    ) -> None:
        """Stamp those of these deliveries that are not handled yet."""
        cls._change(session, ids, handled_at=at, next_try_at=None, outcome=outcome)

    @classmethod
    def put_off(
        cls, session: Session, delivery_id: uuid.UUID, until: dt.datetime | None, outcome: str
    ) -> None:
        """Count a try of a delivery that is not handled, and say when the next one is due, if ever."""
        cls.put_all_off(session, [delivery_id], until, outcome)

    @classmethod
    def put_all_off(
        cls,
        session: Session,
        ids: Collection[uuid.UUID],
        until: dt.datetime | None,
        outcome: str,
    ) -> None:
        """Do so with several at once."""
        tried = {"attempts": cls.attempts + 1, "next_try_at": until, "outcome": outcome}
        cls._change(session, ids, **tried)

    @classmethod
    def _change(cls, session: Session, ids: Collection[uuid.UUID], **values: Any) -> None:
        """Change what is not handled: a delivery is written last, after the Item's tags and run."""
        unhandled = update(cls).where(cls.id.in_(ids), cls.handled_at.is_(None)).values(**values)
        session.execute(unhandled.execution_options(synchronize_session=False))

    @classmethod
    def reopen(cls, session: Session, delivery_id: uuid.UUID) -> None:
        """Take the stamp off a delivery that is to be handled again."""
        session.execute(update(cls).where(cls.id == delivery_id).values(handled_at=None))

    @classmethod
    def newest_kids(cls, session: Session) -> set[str]:
        """Return the keys that signed what came lately."""
        newest = select(cls.kid).order_by(cls.received_at.desc(), cls.id.desc())
        return set(session.scalars(newest.limit(KIDS_FROM_MAX)))

    @classmethod
    def forget_old(cls, session: Session, before: dt.datetime) -> bool:
        """Delete what came before an instant and is not to be tried again; say if there may be more.

        A bounded number at a time, the oldest first. What waits for an Item that never came goes too.
        """
        old = select(cls.id).where(cls.received_at < before, cls.next_try_at.is_(None))
        rows = old.order_by(cls.received_at).limit(FORGOTTEN_AT_ONCE_MAX)
        gone = session.execute(delete(cls).where(cls.id.in_(rows)).returning(cls.id)).all()
        return len(gone) == FORGOTTEN_AT_ONCE_MAX

    @classmethod
    def newest(
        cls, session: Session, limit: int, *, item_id: str | None = None, unhandled: bool = False
    ) -> Sequence[WebhookDelivery]:
        """Return the newest deliveries, of one Item or of all."""
        query = select(cls)
        if item_id is not None:
            query = query.where(cls.item_id == item_id)
        if unhandled:
            query = query.where(cls.handled_at.is_(None))
        return session.scalars(
            query.order_by(cls.received_at.desc(), cls.id.desc()).limit(limit)
        ).all()

    @classmethod
    def waiting_for_an_item(cls, session: Session) -> int:
        """Count those for Items that we do not hold: one that Plaid has and nobody owns, perhaps."""
        waiting = select(func.count()).where(cls.handled_at.is_(None), cls.next_try_at.is_(None))
        return session.execute(waiting).scalar_one()

    @classmethod
    def count_by_key(cls, session: Session, kid: str) -> int:
        """Count those that a key has signed."""
        return session.execute(select(func.count()).where(cls.kid == kid)).scalar_one()


# Built once: a webhook's answer waits for it.
_PUT = (
    insert(table_of(WebhookDelivery))
    .on_conflict_do_nothing(index_elements=[WebhookDelivery.jwt_hash])
    .returning(WebhookDelivery.id)
)

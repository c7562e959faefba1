"""Webhook deliveries: what Plaid sent and we believed, as received, and what was done about it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, OurId


class WebhookDelivery(Base):
    """One verified delivery, unique by the SHA-256 of its JWT, which binds the body.

    Equal bodies are distinct events; one delivery that came twice is one row. `body_sealed` is the
    raw body under the keyring, because those of Link carry public tokens. `item_id` is what the
    body names, whether or not we hold that Item. `handled_at` is stamped only on success;
    `next_try_at` is when an unhandled one is tried again, None where it waits for something else.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
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

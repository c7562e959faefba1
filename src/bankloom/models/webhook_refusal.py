"""Webhook refusals: how many deliveries were not believed, by verdict, with a bounded sample."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base


class WebhookRefusal(Base):
    """A verdict, how often it was given, and the latest few deliveries that it was given to."""

    __tablename__ = "webhook_refusals"

    verdict: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    first_at: Mapped[dt.datetime]
    last_at: Mapped[dt.datetime]
    samples: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")

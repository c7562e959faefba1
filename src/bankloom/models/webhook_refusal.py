"""Webhook refusals: how many deliveries were not believed, by verdict, with a bounded sample."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

SAMPLES_KEPT = 5
"""Of each verdict: enough to see a pattern in, and no attacker can make them more."""


class WebhookRefusal(Base):
    """A verdict, how often it was given, and the latest few deliveries that it was given to."""

    __tablename__ = "webhook_refusals"

    verdict: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    first_at: Mapped[dt.datetime]
    last_at: Mapped[dt.datetime]
    samples: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")

    @classmethod
    def add(
        cls,
        session: Session,
        verdict: str,
        count: int,
        at: dt.datetime,
        samples: Sequence[dict[str, Any]],
    ) -> None:
        """Count refusals of one verdict, and keep the latest samples; those given come newest first."""
        statement = insert(cls).values(
            verdict=verdict, count=count, first_at=at, last_at=at, samples=list(samples)
        )
        new = statement.excluded
        newest_first = new.samples.op("||")(cls.samples)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[cls.verdict],
                set_={
                    "count": cls.count + new.count,
                    "last_at": new.last_at,
                    "samples": func.jsonb_path_query_array(
                        newest_first, text(f"'$[0 to {SAMPLES_KEPT - 1}]'")
                    ),
                },
            )
        )

    @classmethod
    def listing(cls, session: Session) -> Sequence[WebhookRefusal]:
        """Return every verdict that was given, the latest on top."""
        return session.scalars(select(cls).order_by(cls.last_at.desc(), cls.verdict)).all()

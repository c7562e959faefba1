"""Counters: what all processes together have counted, for `GET /metrics`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from bankloom.core.counting import Changes


class Count(NamedTuple):
    """A counter as it stands."""

    name: str
    labels: dict[str, str]
    value: float


class Counter(Base):
    """One counter; `labels` is a JSON object of its label values, keys in order."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]

    @classmethod
    def add(cls, session: Session, changes: Changes) -> None:
        """Add what a process has counted, in one statement.

        All processes lock the rows in the same order, or they could wait for each other.
        """
        keys = sorted(changes)
        session.execute(
            _ADD,
            {
                "names": [name for name, _ in keys],
                "labels": [labels for _, labels in keys],
                "amounts": [float(changes[key]) for key in keys],
            },
        )

    @classmethod
    def read(cls, session: Session, names: Collection[str]) -> list[Count]:
        """Return every counter of these names."""
        rows = session.execute(select(cls.name, cls.labels, cls.value).where(cls.name.in_(names)))
        return [Count(row.name, json.loads(row.labels), row.value) for row in rows]


_ADD = text("""
    INSERT INTO counters (name, labels, value)
    SELECT name, labels, value FROM unnest(
        CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:amounts AS double precision[])
    ) WITH ORDINALITY AS change (name, labels, value, number)
    ORDER BY number
    ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value
""")

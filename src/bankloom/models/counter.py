"""Counters: what all processes together have counted, for `GET /metrics`."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base


class Counter(Base):
    """One counter; `labels` is a JSON object of its label values, keys in order."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]

"""Plaid budgets: how much of each of Plaid's rate limits is used up, shared by all processes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base


class PlaidBudget(Base):
    """One limit of one endpoint, for an Item or for the whole client; `key` names both.

    `free_at` is when all that was spent will have been regained: the theoretical arrival time of
    the generic cell rate algorithm.
    """

    __tablename__ = "plaid_budgets"

    key: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime]

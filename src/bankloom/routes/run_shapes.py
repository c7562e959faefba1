"""The shapes of runs and of their history, as /docs shows them."""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel, Field

from bankloom.models import RunStatus
from bankloom.routes import shapes


class RunAnswer(BaseModel):
    """A sync run of an Item. `transactions_synced` is the sum of `added`, `modified` and `removed`."""

    run_id: uuid.UUID
    item_id: str
    status: RunStatus
    trigger: str = Field(description="What asked for it: person, schedule, webhook, exchange, …")
    transactions_synced: int
    added: int
    modified: int
    removed: int
    pages: int
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None = Field(description="From its start to its end.")
    superseded_by: uuid.UUID | None = Field(description="The run that took its place.")
    error: shapes.RunError | None = None


class RunsAnswer(BaseModel):
    """One page, newest first. `next_cursor` is null on the last one."""

    runs: list[RunAnswer]
    next_cursor: str | None

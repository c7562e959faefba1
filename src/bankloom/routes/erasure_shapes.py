"""The shape of a receipt, as /docs shows it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from bankloom.models import Subject
from bankloom.routes import shapes


class Removal(BaseModel):
    """What Plaid said when the Item was removed there."""

    removed_at: datetime
    already_gone: str | None = Field(
        description="Plaid's code where it did not know the Item any more; `REMOVED_BEFORE`: by us."
    )
    request_id: str | None = Field(description="Plaid's, for their support.")


class PartAnswer(BaseModel):
    """An erasure as it stands. Finished, it names nothing that was erased."""

    receipt_id: uuid.UUID
    subject: Subject
    subject_hash: str = Field(description="A keyed hash: the same Item or person has the same.")
    item_id: str | None = Field(description="Null once it is erased.")
    data: Literal["delete", "keep"]
    status: Literal["erasing", "finished"]
    asked_at: datetime
    asked_by: str = Field(description="The key's public prefix, or what else asked.")
    plaid: Removal | None = Field(description="Null until the Item is removed at Plaid.")
    error: shapes.RunError | None = Field(description="Why it waits; all is kept until then.")
    next_try_at: datetime | None = Field(description="When it is tried again by itself.")
    rows_deleted: dict[str, int] = Field(description="By table; of a person, all parts together.")
    finished_at: datetime | None


class ReceiptAnswer(PartAnswer):
    """An erasure; `parts` are the Items of a person's."""

    parts: list[PartAnswer]

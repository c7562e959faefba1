"""The audit log over HTTP: who did what, page by page, for whoever may do everything."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from bankloom.models.audit_entry import AuditEntry, AuditFilter
from bankloom.routes import answers, shapes
from bankloom.routes.access import MayAdmin
from bankloom.routes.answers import JsonAnswer
from bankloom.services.audit import Action

router = APIRouter(tags=["audit"])


class EntryAnswer(BaseModel):
    """Who did what to whose Item."""

    entry_id: uuid.UUID
    seq: int | None = Field(description="Its place in the chain; null until it is sealed.")
    at: datetime
    actor: str = Field(description="A key's public beginning, or what acted.")
    action: Action
    item_id: str | None
    user_id: str | None = Field(description="Your id of the person; null once they are erased.")
    user_uuid: uuid.UUID | None = Field(description="Our id of the person, which stays.")
    facts: dict[str, Any]


class AuditAnswer(BaseModel):
    """One page, newest first. `next_cursor` is null on the last one."""

    entries: list[EntryAnswer]
    next_cursor: str | None


@router.get("/audit", response_model=AuditAnswer, responses=shapes.errors(404))
def list_entries(  # noqa: PLR0913, PLR0917 - one parameter a documented filter
    call: MayAdmin,
    since: Annotated[AwareDatetime | None, Field(description="Only what was noted since.")] = None,
    action: Action | None = None,
    actor: shapes.Text | None = None,
    item_id: shapes.Text | None = None,
    limit: shapes.PageLimit = 100,
    cursor: shapes.Text | None = None,
) -> JsonAnswer:
    """List who did what, the newest on top."""
    call.caller.require_everyone()
    place = answers.read_page_cursor(cursor, datetime.fromisoformat, uuid.UUID) if cursor else None
    wanted = AuditFilter(since=since, action=action, actor=actor, item_id=item_id)
    with call.runtime.database.session() as session:
        rows = AuditEntry.page(session, wanted, place, limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    last = page[-1][0] if more else None
    return JsonAnswer(
        {
            "entries": [_entry_json(*row) for row in page],
            "next_cursor": last and answers.page_cursor(last.at, last.id),
        }
    )


def _entry_json(entry: AuditEntry, user_name: str | None) -> dict[str, Any]:
    return {
        "entry_id": entry.id,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "item_id": entry.item_id,
        "user_id": user_name,
        "user_uuid": entry.user_id,
        "facts": entry.facts,
    }

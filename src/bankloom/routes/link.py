"""Link again: update mode of an Item, and what became of the Link sessions. See docs/routes/plaid.md."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Query

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import ExchangeClaim, Item, LinkPurpose, LinkSession, LinkState
from bankloom.routes import answers, link_shapes, shapes
from bankloom.routes.access import MayLink, MayRead
from bankloom.routes.answers import JsonAnswer
from bankloom.routes.threads import ThreadsDep
from bankloom.services import decide_duplicate, open_update, repair_item, show_run
from bankloom.services.api_access import Caller
from bankloom.services.open_link import OpenedLink
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

router = APIRouter(prefix="/plaid", tags=["link"])

SESSIONS_MAX = 500


@router.post(
    "/items/{item_id}/link-token",
    response_model=link_shapes.LinkTokenAnswer,
    responses=shapes.errors(404, 409, 502),
)
async def create_update_link_token(
    item_id: shapes.Text,
    body: link_shapes.UpdateLinkTokenRequest,
    call: MayLink,
    threads: ThreadsDep,
) -> dict[str, Any]:
    """Make a link token that sends the person through Link again for this Item."""
    opened = await threads.call_plaid(_open_update, *call, item_id, body)
    return opened._asdict()


def _open_update(
    runtime: Runtime, caller: Caller, item_id: str, body: link_shapes.UpdateLinkTokenRequest
) -> OpenedLink:
    with runtime.database.session() as session:
        item = caller.item(session, item_id, None)
    return open_update.create_link_token(
        runtime, item, LinkPurpose(body.reason), body.products, hosted=body.hosted
    )


@router.post(
    "/items/{item_id}/repaired",
    response_model=link_shapes.RepairedAnswer,
    responses=link_shapes.repaired_answers(),
)
async def repaired(
    item_id: shapes.Text,
    call: MayLink,
    threads: ThreadsDep,
    body: Annotated[link_shapes.RepairedRequest, Body(default_factory=link_shapes.RepairedRequest)],
) -> JsonAnswer:
    """Look at the Item anew after update mode: nothing is exchanged. The body may be left out."""
    asked = (*call, item_id, body.link_session_id)
    run_id = await threads.call_plaid(_note_repair, *asked)
    seconds = show_run.WAIT_SECONDS_MAX if body.wait else 0
    standing = await show_run.wait_for_run(call.runtime, run_id, seconds)
    state = await asyncio.to_thread(_state_of, call.runtime, standing.run.item_id)
    return answers.sync_answer(standing, state=state)


def _note_repair(
    runtime: Runtime, caller: Caller, item_id: str, link_session_id: uuid.UUID | None
) -> uuid.UUID:
    with runtime.database.session() as session:
        caller.item(session, item_id, None)
    return repair_item.by_caller(runtime, item_id, link_session_id)


def _state_of(runtime: Runtime, item_id: str) -> str:
    with runtime.database.session() as session:
        return session.get_one(Item, item_id).state


@router.get(
    "/link-sessions",
    response_model=list[link_shapes.LinkSessionAnswer],
    responses=shapes.errors(404),
)
def list_sessions(
    call: MayRead,
    user_id: shapes.UserFilter = None,
    state: LinkState | None = None,
    limit: Annotated[int, Query(ge=1, le=SESSIONS_MAX)] = 100,
) -> JsonAnswer:
    """List Link sessions and what became of them, the newest on top."""
    with call.runtime.database.session() as session:
        whose = call.caller.scope(session, user_id)
        rows = LinkSession.listing(session, clock.now(), whose, state, limit)
        held = ExchangeClaim.held_of(session, [link.id for link, *_ in rows])
    return JsonAnswer([_session_json(row, held) for row in rows])


@router.get(
    "/link-sessions/{link_session_id}",
    response_model=link_shapes.LinkSessionAnswer,
    responses=shapes.errors(404),
)
def show_session(link_session_id: uuid.UUID, call: MayRead) -> JsonAnswer:
    """Tell what became of one link token, and which duplicates wait for a decision."""
    return JsonAnswer(_shown(*call, link_session_id))


@router.post(
    "/link-sessions/{link_session_id}/duplicates",
    response_model=link_shapes.LinkSessionAnswer,
    responses=shapes.errors(404, 409, 502),
)
async def decide(
    link_session_id: uuid.UUID,
    body: link_shapes.DecisionRequest,
    call: MayLink,
    threads: ThreadsDep,
) -> JsonAnswer:
    """Link the duplicates that the session holds all the same, or discard them."""
    return JsonAnswer(await threads.call_plaid(_decide, *call, link_session_id, body))


def _decide(
    runtime: Runtime,
    caller: Caller,
    link_session_id: uuid.UUID,
    body: link_shapes.DecisionRequest,
) -> dict[str, Any]:
    with runtime.database.session() as session:
        link, *_ = _reachable(session, caller, link_session_id)
    decision = decide_duplicate.Decision(body.decision)
    decide_duplicate.now(runtime, link, decision, body.duplicate_of)
    return _shown(runtime, caller, link_session_id)


def _shown(runtime: Runtime, caller: Caller, link_session_id: uuid.UUID) -> dict[str, Any]:
    with runtime.database.session() as session:
        row = _reachable(session, caller, link_session_id)
        held = ExchangeClaim.held_of(session, [link_session_id])
    return _session_json(row, held)


def _reachable(
    session: Session, caller: Caller, link_session_id: uuid.UUID
) -> Row[LinkSession, str, str]:
    row = LinkSession.find(session, link_session_id, clock.now())
    if row is None or caller.user_id not in {None, row[0].user_id}:
        raise NotFoundError("There is no Link session of that id here.")
    return row


def _session_json(row: Row[LinkSession, str, str], held: Sequence[ExchangeClaim]) -> dict[str, Any]:
    link, state, user_name = row
    return {
        "link_session_id": link.id,
        "user_id": user_name,
        "purpose": link.purpose,
        "item_id": link.item_id,
        "products": link.products,
        "hosted": link.hosted,
        "state": state,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "finished_at": link.finished_at or (None if link.hosted else link.exchanged_at),
        "exited_at": link.exited_at,
        "linked_item_ids": link.linked_item_ids,
        "duplicates": [
            _duplicate_json(claim) for claim in held if claim.link_session_id == link.id
        ],
    }


def _duplicate_json(claim: ExchangeClaim) -> dict[str, Any]:
    return {
        "duplicate_of": claim.duplicate_of,
        "held_since": claim.created_at,
        "linkable_until": claim.spendable_until,
    }

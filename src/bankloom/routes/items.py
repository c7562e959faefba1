"""Items: how each is and how far its products have come; asking the bank again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from bankloom.core.errors import NotFoundError
from bankloom.models import ItemProduct, ItemState
from bankloom.routes import item_shapes, shapes
from bankloom.routes.access import MayRead, MaySync
from bankloom.routes.answers import JsonAnswer
from bankloom.routes.item_shapes import ItemId
from bankloom.routes.threads import ThreadsDep
from bankloom.services import refresh_item, show_item
from bankloom.services.api_access import Caller
from bankloom.services.runtime import Runtime
from bankloom.services.show_item import ItemView

router = APIRouter(prefix="/plaid", tags=["items"])

States = Annotated[list[ItemState], Query(max_length=len(ItemState))]


@router.get("/items", response_model=list[item_shapes.ItemAnswer], responses=shapes.errors(404))
def list_items(
    call: MayRead,
    user_id: shapes.UserFilter = None,
    item_id: shapes.Text | None = None,
    state: States = [],  # noqa: B006 - FastAPI copies it
) -> JsonAnswer:
    """List the linked Items with the state of every product, those linked first on top."""
    with call.runtime.database.session() as session:
        user = call.caller.scope(session, user_id, item_id=item_id)
        views = show_item.views(session, user, item_id=item_id, states=state)
    return JsonAnswer([_item_json(view) for view in views])


@router.get("/items/{item_id}", response_model=item_shapes.ItemAnswer, responses=shapes.errors(404))
def show(item_id: ItemId, call: MayRead) -> JsonAnswer:
    """Tell how an Item is: its state and why, its products, its freshness, its history."""
    with call.runtime.database.session() as session:
        views = show_item.views(session, call.caller.user_id, item_id=item_id)
    if not views:
        raise NotFoundError("There is no Item of that id here.")
    return JsonAnswer(_item_json(views[0]))


@router.post(
    "/items/{item_id}/refresh",
    status_code=202,
    response_model=item_shapes.RefreshAnswer,
    responses=shapes.errors(404, 409, 502),
)
async def refresh(
    item_id: ItemId,
    call: MaySync,
    threads: ThreadsDep,
    body: item_shapes.RefreshRequest | None = None,
) -> dict[str, str | None]:
    """Ask Plaid to ask the bank again, which is billed; what is new comes later."""
    wanted = body or item_shapes.RefreshRequest()
    request_id = await threads.call_plaid(_refresh, *call, item_id, wanted.products)
    return {"status": "asked", "request_id": request_id}


def _refresh(runtime: Runtime, caller: Caller, item_id: str, products: list[str]) -> str | None:
    with runtime.database.session() as session:
        caller.item(session, item_id, None)
    return refresh_item.now(runtime, item_id, products)


def _item_json(view: ItemView) -> dict[str, Any]:
    item, facts = view.item, view.facts
    return {
        "item_id": item.item_id,
        "user_id": view.user_name,
        "institution_id": item.institution_id,
        "institution": view.institution,
        "state": item.state,
        "state_since": item.state_since,
        "reason": view.reason and view.reason._asdict(),
        "error_code": item.error_code,
        "last_error": view.last_error and view.last_error._asdict(),
        "next_try_at": view.next_try_at,
        "cooling_until": item.cooling_until,
        "consent_expires_at": item.consent_expires_at,
        "disconnect_at": item.disconnect_at,
        "new_accounts_at": item.new_accounts_at,
        "webhook_url": item.webhook_url,
        "history": {"days_requested": item.days_requested, "oldest_date": facts.oldest_date},
        "accounts": {"open": facts.open_accounts, "closed": facts.closed_accounts},
        "created_at": item.created_at,
        "products": [_tag_json(view, tag) for tag in view.tags],
    }


def _tag_json(view: ItemView, tag: ItemProduct) -> dict[str, Any]:
    error = tag.error_code and {
        "code": tag.error_code,
        "message": tag.error_message,
        "request_id": tag.request_id,
    }
    return {
        "product": tag.product,
        "state": tag.state,
        "update_status": tag.update_status,
        "last_try_at": tag.last_try_at,
        "last_success_at": tag.last_success_at,
        "next_try_at": tag.next_try_at,
        "freshness": view.freshness(tag)._asdict(),
        "error": error or None,
    }

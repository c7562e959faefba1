"""Items and how far each of their products has come."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from bankloom.models import Institution, Item, ItemProduct
from bankloom.routes import shapes
from bankloom.routes.access import CallerDep, RuntimeDep
from bankloom.routes.answers import JsonAnswer

router = APIRouter(prefix="/plaid", tags=["items"])


@router.get("/items", response_model=list[shapes.ItemAnswer], responses=shapes.errors())
def list_items(
    runtime: RuntimeDep, caller: CallerDep, user_id: shapes.UserFilter = None
) -> JsonAnswer:
    """List the linked Items with the state of every product, those linked first on top."""
    with runtime.database.session() as session:
        rows = Item.listing(session, caller.scope(session, user_id))
        tags = ItemProduct.of_items(session, [item.item_id for item, _ in rows])
        names = Institution.names(session, {item.institution_id for item, _ in rows})
    return JsonAnswer(
        [
            _item_json(item, user_name, names.get(item.institution_id), tags.get(item.item_id, []))
            for item, user_name in rows
        ]
    )


def _item_json(
    item: Item, user_name: str, institution: str | None, tags: list[ItemProduct]
) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "user_id": user_name,
        "institution_id": item.institution_id,
        "institution": institution,
        "error_code": item.error_code,
        "consent_expires_at": item.consent_expires_at,
        "created_at": item.created_at,
        "products": [_tag_json(tag) for tag in tags],
    }


def _tag_json(tag: ItemProduct) -> dict[str, Any]:
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
        "error": error or None,
    }

"""Makes failed work due now, by hand: of one Item, or of all that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import Item, ItemProduct, ProductState
from bankloom.services import request_run

if TYPE_CHECKING:
    import uuid

    from bankloom.services.runtime import Runtime

FAILED = (ProductState.FAILING, ProductState.NEEDS_YOU)
RETRY = "retry"
"""The trigger of a mass retry: unlike a person's own request it asks for nothing without consent,
because that may add the product to an Item."""


def one(runtime: Runtime, item_id: str) -> uuid.UUID:
    """Ask for a run of the Item now, whatever failed; return it. Errors: `NotFoundError`."""
    with runtime.database.session() as session:
        item = Item.find(session, item_id)
        if item is None:
            raise NotFoundError("There is no Item of that id here.")
        return request_run.by_person(runtime, session, item)


def every(runtime: Runtime) -> list[str]:
    """Ask for a run of each Item that a product fails of; return them."""
    failing = (
        select(ItemProduct.item_id)
        .join(Item, Item.item_id == ItemProduct.item_id)
        .where(Item.removed_at.is_(None), ItemProduct.state.in_(FAILED))
        .distinct()
        .order_by(ItemProduct.item_id)
    )
    with runtime.database.session() as session:
        item_ids = list(session.scalars(failing))
    for item_id in item_ids:
        with runtime.database.session() as session:
            ItemProduct.make_due_in(session, item_id, FAILED, clock.now())
            request_run.by_person(runtime, session, session.get_one(Item, item_id), RETRY)
    return item_ids

"""Asks Plaid to ask the bank again: billed a call, so only a person does it, and no schedule."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import InvalidProductsError, NotFoundError
from bankloom.models import Item, ItemProduct
from bankloom.services import audit
from bankloom.services.runtime import refuse_other_world
from bankloom.services.sync_item import TRANSACTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

REFRESHABLE_PRODUCTS = (TRANSACTIONS,)
PULL_AFTER = timedelta(minutes=2)
"""When we look ourselves, where no webhook is to tell us: most refreshes take less than a minute."""


def now(
    runtime: Runtime, item_id: str, products: Sequence[str] = REFRESHABLE_PRODUCTS
) -> str | None:
    """Ask for fresh data of the Item; return Plaid's request id.

    The data comes later: by Plaid's webhook, or where none is registered by a run that falls due in
    some minutes. See plaid.com/docs/api/products/transactions/#transactionsrefresh. Errors:
    `NotFoundError`, `InvalidProductsError`, `WorldMismatchError`, `SealBrokenError`, the client's.
    """
    if tuple(products) != REFRESHABLE_PRODUCTS:
        raise _not_refreshable("Only transactions can be refreshed.")
    with runtime.database.session() as session:
        item = Item.find(session, item_id)
        if item is None:
            raise NotFoundError("There is no Item of that id here.")
        if TRANSACTIONS not in {tag.product for tag in ItemProduct.of_item(session, item_id)}:
            raise _not_refreshable("This Item was not linked for transactions.")
    refuse_other_world(item.world, runtime.plaid.world)
    access_token = runtime.keyring.open(item.access_token_sealed, item.item_id)
    request_id = runtime.plaid.transactions_refresh(access_token)
    log.info("Item %s: Plaid was asked to ask the bank again", item_id)
    with runtime.database.session() as session:
        audit.note(
            runtime,
            session,
            audit.Action.ITEM_REFRESHED,
            item_id=item_id,
            user_id=item.user_id,
            products=products,
            request_id=request_id,
        )
        if item.webhook_url is None:
            due_at = clock.now() + PULL_AFTER
            ItemProduct.make_due_by(session, item_id, TRANSACTIONS, due_at)
    return request_id


def _not_refreshable(problem: str) -> InvalidProductsError:
    return InvalidProductsError(
        f"{problem} Nothing was asked.", valid_products=list(REFRESHABLE_PRODUCTS)
    )

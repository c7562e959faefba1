"""Opens Link's update mode: the same person, the same Item, for a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core.errors import InvalidRequestError, ItemGoneError
from bankloom.models import ItemState, LinkPurpose
from bankloom.services import open_link
from bankloom.services.plaid_errors import GONE
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bankloom.models import Item
    from bankloom.services.open_link import OpenedLink
    from bankloom.services.runtime import Runtime


def create_link_token(
    runtime: Runtime,
    item: Item,
    reason: LinkPurpose,
    products: Sequence[str],
    *,
    hosted: bool = False,
) -> OpenedLink:
    """Make a link token that sends the person through Link again for this Item, and record it.

    `products` are what consent is asked for, and only for that reason; one that the Item has
    consent for already is Plaid's to judge. Plaid's own `products` and their settings are left out,
    as it demands; the webhook is for what a hosted session sends, the Item keeps its own. Errors:
    `InvalidRequestError`, `InvalidProductsError`, `WorldMismatchError`, `ItemGoneError`, and what the
    client raises.
    """
    _check(reason, products)
    refuse_other_world(item.world, runtime.plaid.world)
    if item.error_code in GONE or item.state == ItemState.REVOKED:
        raise ItemGoneError(error_code=item.error_code)
    wanted = {
        "access_token": runtime.keyring.open(item.access_token_sealed, item.item_id),
        "additional_consented_products": list(products) or None,
        "update": {"account_selection_enabled": True} if reason == LinkPurpose.ACCOUNTS else None,
        "webhook": runtime.settings.webhook_url if hosted else None,
    }
    created = runtime.plaid.link_token_create(str(item.user_id), wanted, hosted=hosted)
    how = {
        "item_id": item.item_id,
        "purpose": reason,
        "products": list(products),
        "hosted": hosted,
    }
    with runtime.database.session() as session:
        return open_link.record(runtime, session, created, item.user_id, **how)


def _check(reason: LinkPurpose, products: Sequence[str]) -> None:
    if reason == LinkPurpose.PRODUCTS:
        open_link.check_products(products)
    elif products:
        raise InvalidRequestError("Give products only with the reason products.")

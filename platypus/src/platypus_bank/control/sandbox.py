"""/platypus/items/{id}/…: what Plaid has a call for, here without the Item's access token."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from platypus_bank.access import with_product
from platypus_bank.control.door import Action, Knock
from platypus_bank.control.items import shown
from platypus_bank.errors import ItemNotFound
from platypus_bank.records import Item
from platypus_bank.refresh import ask_the_bank
from platypus_bank.webhooks.firable import Code, Kind, Options, fire_on_demand


class Fire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which webhook; DEFAULT_UPDATE is of many types, and of TRANSACTIONS tells a number."""

    webhook_code: Code
    webhook_type: Kind | None = None
    new_transactions: Annotated[int, Meta(ge=0)] = 0


def fire_webhook(knock: Knock) -> dict[str, Any]:
    """Send a webhook as /sandbox/item/fire_webhook does; nothing else changes."""
    item, wanted = _present(knock), knock.read(Fire)
    options = Options(wanted.new_transactions)
    fire_on_demand(knock.service.world, item, wanted.webhook_code, wanted.webhook_type, options)
    return {"webhook_fired": True}


def refresh(knock: Knock) -> dict[str, Any]:
    """Ask the bank again, as /transactions/refresh does."""
    world = knock.service.world
    item = with_product(world, _present(knock), "transactions")
    ask_the_bank(world, item)
    return shown(world, item)


def _present(knock: Knock) -> Item:
    item = knock.item()
    if item.removed:
        raise ItemNotFound
    return item


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/items/{item_id}/fire_webhook"): fire_webhook,
    ("POST", "/items/{item_id}/refresh"): refresh,
}

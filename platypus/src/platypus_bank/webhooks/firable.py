"""The webhooks that /sandbox/item/fire_webhook can fire, and what they say about an Item."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from platypus_bank.errors import (
    InvalidField,
    SandboxProductNotEnabled,
    SandboxWebhookInvalid,
    UserPermissionRevoked,
)
from platypus_bank.history import status
from platypus_bank.records import Account, Item
from platypus_bank.webhooks import bodies, outbox
from platypus_bank.webhooks.bodies import Body, item_webhook, webhook
from platypus_bank.world import World

Code = Literal[
    "DEFAULT_UPDATE",
    "NEW_ACCOUNTS_AVAILABLE",
    "SMS_MICRODEPOSITS_VERIFICATION",
    "AUTHORIZATION_GRANTED",
    "USER_PERMISSION_REVOKED",
    "USER_ACCOUNT_REVOKED",
    "PENDING_DISCONNECT",
    "RECURRING_TRANSACTIONS_UPDATE",
    "LOGIN_REPAIRED",
    "SYNC_UPDATES_AVAILABLE",
    "PRODUCT_READY",
    "ERROR",
]
Kind = Literal[
    "AUTH",
    "HOLDINGS",
    "IDENTITY",
    "INVESTMENTS_TRANSACTIONS",
    "ITEM",
    "LIABILITIES",
    "TRANSACTIONS",
    "ASSETS",
]
NOTICE_SECONDS = 7 * 86_400  # Plaid tells of a disconnection a week ahead


class Firable(NamedTuple):
    """One webhook: its type, the product the Item must have, and how its body is made."""

    kind: Kind
    product: str | None
    body: Callable[[World, Item, "Options"], Body]


class Options(NamedTuple):
    """SandboxItemFireWebhookRequestOptions."""

    new_transactions: int = 0


def _account_ids(world: World, item: Item, *types: str) -> list[str]:
    known = [each for each in world.store.of(Account, item.id) if each.open]
    return [each.id for each in known if not types or each.body["type"] in types]


def _auth(world: World, item: Item, _: Options) -> Body:
    first = _account_ids(world, item, "depository")[:1]
    return webhook(
        "AUTH",
        "DEFAULT_UPDATE",
        item_id=item.id,
        error=None,
        account_ids_with_new_auth=[],
        account_ids_with_updated_auth={each: ["ACCOUNT_NUMBER"] for each in first},
    )


def _identity(world: World, item: Item, _: Options) -> Body:
    first = _account_ids(world, item)[:1]
    return webhook(
        "IDENTITY",
        "DEFAULT_UPDATE",
        item_id=item.id,
        error=None,
        account_ids_with_updated_identity={each: ["ADDRESSES"] for each in first},
    )


def _transactions(_: World, item: Item, options: Options) -> Body:
    return bodies.new_transactions(item, "DEFAULT_UPDATE", options.new_transactions)


def _holdings(_: World, item: Item, __: Options) -> Body:
    return bodies.holdings_update(item, 1)


def _investments(_: World, item: Item, __: Options) -> Body:
    return bodies.investments_update(item, "DEFAULT_UPDATE", 1)


def _liabilities(world: World, item: Item, _: Options) -> Body:
    return bodies.liabilities_update(item, _account_ids(world, item, "credit", "loan"), {})


def _new_accounts(_: World, item: Item, __: Options) -> Body:
    return item_webhook(item, "NEW_ACCOUNTS_AVAILABLE", error=None)


def _microdeposits(world: World, item: Item, _: Options) -> Body:
    return webhook(
        "AUTH",
        "SMS_MICRODEPOSITS_VERIFICATION",
        item_id=item.id,
        status="MANUALLY_VERIFIED",
        account_id=next(iter(_account_ids(world, item, "depository")), ""),
    )


def _permission_revoked(_: World, item: Item, __: Options) -> Body:
    error = bodies.error_in_webhook(UserPermissionRevoked())
    return item_webhook(item, "USER_PERMISSION_REVOKED", error=error)


def _account_revoked(world: World, item: Item, _: Options) -> Body:
    first = next(iter(_account_ids(world, item)), "")
    return item_webhook(item, "USER_ACCOUNT_REVOKED", account_id=first)


def _disconnect(world: World, item: Item, _: Options) -> Body:
    at = world.clock.now() + NOTICE_SECONDS
    return bodies.pending_disconnect(item, "INSTITUTION_MIGRATION", at)


def _recurring(world: World, item: Item, _: Options) -> Body:
    accounts = _account_ids(world, item, "depository", "credit")
    return bodies.transactions_webhook(item, "RECURRING_TRANSACTIONS_UPDATE", account_ids=accounts)


def _sync(world: World, item: Item, _: Options) -> Body:
    return bodies.sync_updates_available(item, status(world, item))


def _plain(code: Code) -> Callable[[World, Item, Options], Body]:
    return lambda _, item, __: item_webhook(item, code)


def _report(code: Code, **fields: Any) -> Callable[[World, Item, Options], Body]:
    return lambda world, _, __: webhook("ASSETS", code, asset_report_id=world.ids.uuid(), **fields)


_REPORT_ERROR = {
    "display_message": None,
    "error_code": "PRODUCT_NOT_ENABLED",
    "error_message": "the 'assets' product is not enabled for the following access tokens",
    "error_type": "ASSET_REPORT_ERROR",
    "status": 400,
}
FIRABLE: Mapping[Code, list[Firable]] = {
    "DEFAULT_UPDATE": [
        Firable("TRANSACTIONS", "transactions", _transactions),
        Firable("AUTH", "auth", _auth),
        Firable("IDENTITY", "identity", _identity),
        Firable("INVESTMENTS_TRANSACTIONS", "investments", _investments),
        Firable("LIABILITIES", "liabilities", _liabilities),
        Firable("HOLDINGS", "investments", _holdings),
    ],
    "NEW_ACCOUNTS_AVAILABLE": [Firable("ITEM", None, _new_accounts)],
    "SMS_MICRODEPOSITS_VERIFICATION": [Firable("AUTH", "auth", _microdeposits)],
    "AUTHORIZATION_GRANTED": [Firable("ITEM", None, _plain("AUTHORIZATION_GRANTED"))],
    "USER_PERMISSION_REVOKED": [Firable("ITEM", None, _permission_revoked)],
    "USER_ACCOUNT_REVOKED": [Firable("ITEM", None, _account_revoked)],
    "PENDING_DISCONNECT": [Firable("ITEM", None, _disconnect)],
    "RECURRING_TRANSACTIONS_UPDATE": [Firable("TRANSACTIONS", "transactions", _recurring)],
    "LOGIN_REPAIRED": [Firable("ITEM", None, _plain("LOGIN_REPAIRED"))],
    "SYNC_UPDATES_AVAILABLE": [Firable("TRANSACTIONS", "transactions", _sync)],
    "PRODUCT_READY": [Firable("ASSETS", "assets", _report("PRODUCT_READY", report_type="FULL"))],
    "ERROR": [Firable("ASSETS", "assets", _report("ERROR", error=_REPORT_ERROR))],
}


def fire_on_demand(
    world: World, item: Item, code: Code, kind: Kind | None, options: Options
) -> None:
    """Send the webhook of a code, and of a type where there are several (else the first).

    Raises InvalidField (no such code of that type), SandboxProductNotEnabled, SandboxWebhookInvalid.
    """
    wanted = [each for each in FIRABLE[code] if kind in (None, each.kind)]
    if not wanted:
        raise InvalidField(f"webhook_type {kind} has no webhook_code {code}")
    _, product, body = wanted[0]
    if product is not None and product not in item.products:
        raise SandboxProductNotEnabled(product)
    if item.webhook is None:
        raise SandboxWebhookInvalid
    outbox.fire(world, item, body(world, item, options))

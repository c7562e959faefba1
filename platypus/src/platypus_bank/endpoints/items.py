"""/item/*: exchange, get, remove, webhook, another token (https://plaid.com/docs/api/items/)."""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank import history
from platypus_bank.access import item_body, item_of
from platypus_bank.clock import iso
from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidPublicToken
from platypus_bank.opening import Login, Terms, issue_access_token, open_item
from platypus_bank.products import check_products
from platypus_bank.records import AccessToken, Item, PublicToken
from platypus_bank.requests import ByAccessToken, Nullable, PlaidRequest, Url
from platypus_bank.seeds.people import GOOD, GOOD_PASSWORD
from platypus_bank.webhooks import news
from platypus_bank.webhooks.bodies import item_webhook
from platypus_bank.webhooks.outbox import fire
from platypus_bank.world import World

RemovalReason = Literal[
    "FRAUD_FIRST_PARTY", "FRAUD_FALSE_IDENTITY", "FRAUD_ABUSE", "FRAUD_OTHER",
    "CONNECTION_IS_NON_FUNCTIONAL", "OTHER",
]  # fmt: skip
_PUBLIC_TOKEN = re.compile(r"public-[a-z]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORMAT = (
    "provided public token is in an invalid format. "
    "expected format: public-<environment>-<identifier>"
)
_EXPIRED = (
    "provided public token is expired. Public tokens expire 30 minutes after creation at which "
    "point they can no longer be exchanged"
)


class PublicTokenExchange(PlaidRequest, kw_only=True):
    """ItemPublicTokenExchangeRequest."""

    public_token: str


class UserAuth(Struct, kw_only=True):
    """ItemImportRequestUserAuth."""

    user_id: str
    auth_token: str


class ImportOptions(Struct, kw_only=True):
    """ItemImportRequestOptions."""

    webhook: Url | None = None


class ItemImport(PlaidRequest, kw_only=True):
    """ItemImportRequest."""

    products: Annotated[list[str], Meta(min_length=1)]
    user_auth: UserAuth
    institution_id: str = "ins_109508"
    options: ImportOptions = field(default_factory=ImportOptions)


class ItemRemove(ByAccessToken, kw_only=True):
    """ItemRemoveRequest."""

    reason_code: Nullable[RemovalReason] = None
    reason_note: Nullable[Annotated[str, Meta(max_length=512)]] = None


class ItemWebhookUpdate(ByAccessToken, kw_only=True):
    """ItemWebhookUpdateRequest; null takes the webhook away."""

    webhook: Nullable[Url] = None


def public_token_exchange(world: World, request: PublicTokenExchange) -> dict[str, Any]:
    """Turn a public token into an access token.

    A second exchange answers by the world's `exchange_mode`: the same token, another one, or
    InvalidPublicToken, which is also what malformed, unknown and expired ones get.
    """
    public = _live_public_token(world, request.public_token)
    mode = world.charter.settings.exchange_mode
    if public.access_token and mode == "strict":
        raise InvalidPublicToken
    if not public.access_token or mode == "rotate":
        public.access_token = issue_access_token(world, public.owner)
        world.store.put(public)
    return {"access_token": public.access_token, "item_id": public.owner}


def _live_public_token(world: World, text: str) -> PublicToken:
    if not _PUBLIC_TOKEN.fullmatch(text):
        raise InvalidPublicToken(_FORMAT)
    public = world.store.get(PublicToken, text)
    if public is None or public.update_mode:
        raise InvalidPublicToken
    item = world.store.get(Item, public.owner)
    if item is None or item.removed:
        raise InvalidPublicToken
    if world.clock.now() - public.created_at >= world.charter.settings.public_token_seconds:
        raise InvalidPublicToken(_EXPIRED)
    return public


def item_import(world: World, request: ItemImport) -> dict[str, Any]:
    """Open an Item without Link, as partners of Plaid Exchange may; its person is `user_good`.

    Raises InvalidProduct, and what `open_item` raises.
    """
    check_products(request.products)
    login = Login(institution_id=request.institution_id, username=GOOD, password=GOOD_PASSWORD)
    terms = Terms(products=request.products, webhook=request.options.webhook)
    item = open_item(world, login, terms)
    return {"access_token": issue_access_token(world, item.id)}


def item_get(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Return the Item and its status, also while it is in error (ItemGetResponse)."""
    item = item_of(world, request.access_token)
    history.settle(world, item)
    body = item_body(item) | {"created_at": iso(item.created_at)}
    return {"item": body, "status": _status(item) or None}


def _status(item: Item) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if item.transactions_since is not None:
        status["transactions"] = {
            "last_successful_update": iso(item.last_update_at),
            "last_failed_update": iso(item.failed_at),
        }
    if item.last_webhook_at is not None:
        status["last_webhook"] = {
            "sent_at": iso(item.last_webhook_at),
            "code_sent": item.last_webhook_code,
        }
    return status


def item_remove(world: World, request: ItemRemove) -> dict[str, Any]:
    """Remove the Item for good; its tokens answer ItemNotFound from now on."""
    item = item_of(world, request.access_token)
    item.removed = True
    world.store.put(item)
    return {}


def item_webhook_update(world: World, request: ItemWebhookUpdate) -> dict[str, Any]:
    """Store where the Item's webhooks go, and acknowledge it there."""
    item = item_of(world, request.access_token)
    # What came in before is told to the URL of then, if there was one, and not to this one.
    history.settle(world, item)
    news.tell(world, item)
    item.webhook = request.webhook
    world.store.put(item)
    acknowledged = item_webhook(
        item, "WEBHOOK_UPDATE_ACKNOWLEDGED", new_webhook_url=request.webhook, error=None
    )
    fire(world, item, acknowledged)
    return {"item": item_body(item)}


def access_token_invalidate(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Give the Item another access token; the old one is invalid from now on, cursors are not."""
    item = item_of(world, request.access_token)
    world.store.delete(AccessToken(id=request.access_token))
    fresh = issue_access_token(world, item.id)
    for public in world.store.of(PublicToken, item.id):
        if public.access_token == request.access_token:
            public.access_token = fresh
            world.store.put(public)
    return {"new_access_token": fresh}


TABLE: Table = {
    "/item/public_token/exchange": (PublicTokenExchange, public_token_exchange),
    "/item/get": (ByAccessToken, item_get),
    "/item/import": (ItemImport, item_import),
    "/item/remove": (ItemRemove, item_remove),
    "/item/webhook/update": (ItemWebhookUpdate, item_webhook_update),
    "/item/access_token/invalidate": (ByAccessToken, access_token_invalidate),
}

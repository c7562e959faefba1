"""From an access token to its Item, in a state to answer for a product."""

import re

from platypus_bank.clock import iso
from platypus_bank.errors import (
    AccessNotGranted,
    AdditionalConsentRequired,
    InsufficientCredentials,
    InvalidAccessToken,
    InvalidCredentials,
    InvalidMfa,
    InvalidSendMethod,
    InvalidUpdatedUsername,
    ItemLocked,
    ItemLoginRequired,
    ItemNotFound,
    ItemNotSupported,
    ManualVerificationRequired,
    MfaNotSupported,
    NoAccounts,
    PasswordResetRequired,
    PlaidError,
    ProductsNotSupported,
    UserPermissionRevoked,
    UserSetupRequired,
)
from platypus_bank.ids import ENVIRONMENT
from platypus_bank.institution_status import check_up
from platypus_bank.living import life
from platypus_bank.records import AccessToken, Extraction, Item
from platypus_bank.seeds.institutions import institution
from platypus_bank.world import World

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ACCESS_TOKEN = re.compile(rf"access-([a-z]+)-{_UUID}")
LASTING_ERRORS: dict[str, type[PlaidError]] = {
    each.code: each
    for each in (
        AccessNotGranted,
        InsufficientCredentials,
        InvalidCredentials,
        InvalidMfa,
        InvalidSendMethod,
        InvalidUpdatedUsername,
        ItemLocked,
        ItemLoginRequired,
        ItemNotSupported,
        ManualVerificationRequired,
        MfaNotSupported,
        NoAccounts,
        PasswordResetRequired,
        UserPermissionRevoked,
        UserSetupRequired,
    )
}


def item_of(world: World, access_token: str) -> Item:
    """Return the Item of an access token, healthy or not.

    Raises InvalidAccessToken (malformed, other environment, unknown) or ItemNotFound (removed).
    """
    shape = _ACCESS_TOKEN.fullmatch(access_token)
    if shape is None:
        raise InvalidAccessToken(
            "provided access token is in an invalid format. "
            "expected format: access-<environment>-<identifier>"
        )
    if shape[1] != ENVIRONMENT:
        raise InvalidAccessToken(
            "provided access token is for the wrong Plaid environment. "
            f'expected "{ENVIRONMENT}", got "{shape[1]}"'
        )
    token = world.store.get(AccessToken, access_token)
    item = None if token is None else world.store.get(Item, token.owner)
    if item is None:
        raise InvalidAccessToken
    if item.removed:
        raise ItemNotFound
    return item


def healthy_item_of(world: World, access_token: str) -> Item:
    """Return the Item of an access token; raises its error when it is in one, or InstitutionDown."""
    return healthy(world, item_of(world, access_token))


def healthy(world: World, item: Item) -> Item:
    """Return the Item, up to date; raises its error when it is in one, or InstitutionDown."""
    error = error_of(item)
    if error is not None:
        raise error
    check_up(world, item.institution_id)
    life.settle(world, item)
    return item


def error_of(item: Item) -> PlaidError | None:
    """Return the error the Item is in, one of LASTING_ERRORS, or None."""
    return None if item.error_code is None else LASTING_ERRORS[item.error_code]()


def item_with(world: World, access_token: str, product: str) -> Item:
    """Return the healthy Item of an access token with `product` on it, as `with_product` does."""
    return with_product(world, item_of(world, access_token), product)


def with_product(world: World, item: Item, product: str) -> Item:
    """Return a healthy Item with `product` on it, adding it on first use.

    Raises ProductsNotSupported (the institution lacks it) or AdditionalConsentRequired (it stood
    in none of the link token's arrays). https://plaid.com/docs/link/initializing-products/
    """
    healthy(world, item)
    if product in item.products:
        return item
    if product not in institution(item.institution_id).products:
        raise ProductsNotSupported([product])
    if product not in item.consented:
        raise AdditionalConsentRequired(product)
    start_product(world, item, product)
    return item


def start_product(world: World, item: Item, product: str) -> None:
    """Put a product on the Item, billed from now on."""
    item.products.append(product)
    now = world.clock.now()
    if product == "transactions":
        item.transactions_since = now
    if product == "investments":
        life.look_at_portfolio(world, item)
    if product == "statements" and item.statement_dates is not None:
        start, end = item.statement_dates
        item.extractions.append(Extraction(start_date=start, end_date=end, began_at=now))
    world.store.put(item)


def item_body(item: Item) -> dict[str, object]:
    """Return the ItemWithConsentFields schema of the OpenAPI file."""
    bank = institution(item.institution_id)
    return {
        "item_id": item.id,
        "institution_id": bank.institution_id,
        "institution_name": bank.name,
        "webhook": item.webhook,
        "error": _shown_error(item),
        "available_products": sorted({*bank.products, "balance"} - set(item.products)),
        "billed_products": sorted(item.products),
        "products": sorted(item.products),
        "consented_products": sorted(item.consented),
        "consent_expiration_time": iso(item.consent_expires_at),
        "update_type": "background",
        "auth_method": None,
    }


def _shown_error(item: Item) -> dict[str, object] | None:
    error = error_of(item)
    if error is None:
        return None
    return error.body() | {"error_type": "ITEM_ERROR", "error_code_reason": item.error_reason}

"""/transactions/enrich and /categories/get (https://plaid.com/docs/api/products/enrich/)."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidField
from platypus_bank.exact_json import Number
from platypus_bank.ids import named_id
from platypus_bank.requests import PlaidRequest
from platypus_bank.seeds.blueprint import category, empty_location
from platypus_bank.seeds.merchants import Merchant, recognise
from platypus_bank.world import World

_TRANSACTIONS_MAX = 100


class ProvidedLocation(Struct, kw_only=True, omit_defaults=True):
    """ClientProvidedTransactionLocation."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    address: str | None = None
    postal_code: str | None = None


class ProvidedTransaction(Struct, kw_only=True):
    """ClientProvidedTransaction."""

    id: str
    description: str
    amount: Number
    direction: Literal["INFLOW", "OUTFLOW"]
    iso_currency_code: str
    user_id: str | None = None
    client_user_id: str | None = None
    client_account_id: str | None = None
    account_type: str | None = None
    account_subtype: str | None = None
    location: ProvidedLocation = field(default_factory=ProvidedLocation)
    mcc: str | None = None
    date_posted: date | None = None


class EnrichOptions(Struct, kw_only=True):
    """TransactionsEnrichRequestOptions."""

    include_legacy_category: bool = False
    personal_finance_category_version: Literal["v1", "v2"] = "v2"


class TransactionsEnrich(PlaidRequest, kw_only=True):
    """TransactionsEnrichRequest: at most 100 of them."""

    account_type: Literal["depository", "credit"]
    transactions: Annotated[
        list[ProvidedTransaction], Meta(min_length=1, max_length=_TRANSACTIONS_MAX)
    ]
    options: EnrichOptions = field(default_factory=EnrichOptions)


class CategoriesGet(PlaidRequest, kw_only=True):
    """CategoriesGetRequest."""


def enrich(world: World, request: TransactionsEnrich) -> dict[str, Any]:
    """Return the transactions with what is known of the shops in their descriptions.

    Raises InvalidField for an amount below 0: the direction says which way it went.
    """
    del world
    for place, each in enumerate(request.transactions):
        if each.amount < 0:
            raise InvalidField(f"transactions[{place}].amount is invalid: must not be negative")
    return {"enriched_transactions": [_enriched(each) for each in request.transactions]}


def _enriched(given: ProvidedTransaction) -> dict[str, Any]:
    names = ("id", "client_user_id", "client_account_id", "account_type", "account_subtype",
             "description", "amount", "direction", "iso_currency_code")  # fmt: skip
    told = {name: getattr(given, name) for name in names}
    known = {name: value for name, value in told.items() if value is not None}
    return known | {"enrichments": _enrichments(given, recognise(given.description))}


def _enrichments(given: ProvidedTransaction, shop: Merchant | None) -> dict[str, Any]:
    place = empty_location() | msgspec.to_builtins(given.location)
    about: dict[str, Any] = {
        "check_number": None,
        "counterparties": [],
        "entity_id": None,
        "location": place,
        "logo_url": None,
        "merchant_name": None,
        "payment_channel": "other",
        "phone_number": None,
        "website": None,
    }
    if shop is None:
        income = given.direction == "INFLOW"
        unknown = ("INCOME", "OTHER_INCOME") if income else (
            "GENERAL_MERCHANDISE", "OTHER_GENERAL_MERCHANDISE",
        )  # fmt: skip
        return about | category(*unknown, "LOW")
    entity_id = named_id("merchant", shop.name)
    merchant = {
        "name": shop.name,
        "type": "merchant",
        "logo_url": None,
        "website": None,
        "entity_id": entity_id,
        "confidence_level": "VERY_HIGH",
        "phone_number": None,
    }
    return (
        about
        | category(shop.primary, shop.detail, "VERY_HIGH")
        | {"merchant_name": shop.name, "entity_id": entity_id, "counterparties": [merchant]}
    )


def categories_get(world: World, request: CategoriesGet) -> dict[str, Any]:
    """Return the legacy categories: those of the documented example; no transaction here has one."""
    del world, request
    return {
        "categories": [
            {"category_id": "10000000", "group": "special", "hierarchy": ["Bank Fees"]},
            {
                "category_id": "10001000",
                "group": "special",
                "hierarchy": ["Bank Fees", "Overdraft"],
            },
            {
                "category_id": "12001000",
                "group": "place",
                "hierarchy": ["Community", "Animal Shelter"],
            },
        ]
    }


TABLE: Table = {
    "/transactions/enrich": (TransactionsEnrich, enrich),
    "/categories/get": (CategoriesGet, categories_get),
}

"""One good call of every endpoint: what a bad one is made from by spoiling a single thing.

A text that begins with `$` stands for something of the world that the call is made in.
"""

from typing import Any

from msgspec import Struct

DAYS = {"start_date": "2026-01-01", "end_date": "2026-02-01"}
US = {"country_codes": ["US"]}
ACCESS = {"access_token": "$access"}
LINK = {
    "client_name": "Tests",
    "language": "en",
    **US,
    "user": {"client_user_id": "person-1"},
    "products": ["transactions"],
}
SPENT = {"date_transacted": "$today", "date_posted": "$today", "amount": 4.5, "description": "Tea"}
PROVIDED = {
    "id": "1",
    "description": "STARBUCKS",
    "amount": 4.5,
    "direction": "OUTFLOW",
    "iso_currency_code": "USD",
}


class Call(Struct, frozen=True, kw_only=True):
    """A good call. `product` is what its Item must have; `data` whether it asks the Item's bank."""

    body: dict[str, Any]
    product: str | None = None
    data: bool = False
    ends_item: bool = False
    """Whether it takes the access token away, or the login."""


def _data(product: str | None = None, **body: Any) -> Call:
    return Call(body={**ACCESS, **body}, product=product, data=True)


CALLS: dict[str, Call] = {
    "/accounts/balance/get": _data(),
    "/accounts/get": _data(),
    "/auth/get": _data("auth"),
    "/categories/get": Call(body={}),
    "/identity/get": _data("identity"),
    "/institutions/get": Call(body={"count": 1, "offset": 0, **US}),
    "/institutions/get_by_id": Call(body={"institution_id": "ins_109508", **US}),
    "/institutions/search": Call(body={"query": "platypus", **US}),
    "/investments/auth/get": _data("investments_auth"),
    "/investments/holdings/get": _data("investments"),
    "/investments/refresh": _data("investments"),
    "/investments/transactions/get": _data("investments", **DAYS),
    "/item/access_token/invalidate": Call(body=ACCESS, ends_item=True),
    "/item/get": Call(body=ACCESS),
    "/item/import": Call(
        body={"products": ["transactions"], "user_auth": {"user_id": "1", "auth_token": "2"}}
    ),
    "/item/public_token/exchange": Call(body={"public_token": "$public"}),
    "/item/remove": Call(body=ACCESS, ends_item=True),
    "/item/webhook/update": Call(body={**ACCESS, "webhook": "http://127.0.0.1:9/"}),
    "/liabilities/get": _data("liabilities"),
    "/link/token/create": Call(body=LINK),
    "/link/token/get": Call(body={"link_token": "$link"}),
    "/sandbox/item/fire_webhook": Call(body={**ACCESS, "webhook_code": "DEFAULT_UPDATE"}),
    "/sandbox/item/reset_login": Call(body=ACCESS, ends_item=True),
    "/sandbox/item/set_verification_status": Call(
        body={
            **ACCESS,
            "account_id": "$account",
            "verification_status": "automatically_verified",
        }
    ),
    "/sandbox/public_token/create": Call(
        body={"institution_id": "ins_109508", "initial_products": ["transactions"]}
    ),
    "/sandbox/transactions/create": _data(
        "transactions", access_token="$dynamic", transactions=[SPENT]
    ),
    "/statements/download": _data("statements", statement_id="$statement"),
    "/statements/list": _data("statements"),
    "/statements/refresh": _data("statements", **DAYS),
    "/transactions/enrich": Call(body={"account_type": "credit", "transactions": [PROVIDED]}),
    "/transactions/get": _data("transactions", **DAYS),
    "/transactions/recurring/get": _data(),
    "/transactions/refresh": _data("transactions"),
    "/transactions/sync": _data("transactions"),
    "/webhook_verification_key/get": Call(body={"key_id": "$key"}),
}


def filled(value: Any, names: dict[str, str]) -> Any:
    """Return a body with what its `$…` stand for."""
    if isinstance(value, dict):
        return {name: filled(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value

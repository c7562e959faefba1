"""Every documented refusal of a well-formed call: the endpoint, what is wrong, and the code."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from endpoint_calls import CALLS, LINK, PROVIDED, SPENT
from platypus_bank.access import LASTING_ERRORS
from platypus_bank.faults.asked import covers
from platypus_bank.faults.catalogue import CALL_FAULTS
from platypus_bank.faults.named import CallFault
from platypus_bank.faults.spoiling import about_an_item
from refusals import (
    UUID,
    Case,
    Given,
    a_removed_item,
    a_revoked_item,
    a_spent_public_token,
    a_strangers_cursor,
    accounts_of,
    an_item,
    an_old_public_token,
    at_a_bank_that_is_down,
    broken,
    limited,
    nothing,
    settings,
    update_modes_public_token,
)

OPEN, EXCHANGE, CREATE = (
    "/link/token/create", "/item/public_token/exchange", "/sandbox/public_token/create",
)  # fmt: skip
SYNC, SPEND, FIRE = (
    "/transactions/sync", "/sandbox/transactions/create", "/sandbox/item/fire_webhook",
)  # fmt: skip
ITEM_PATHS = [path for path, call in CALLS.items() if "access_token" in call.body]
DATA_PATHS = [path for path, call in CALLS.items() if call.data]
# https://plaid.com/docs/errors/rate-limit-exceeded/; of the other endpoints no code is documented.
LIMIT_CODES = {
    "/accounts/get": "ACCOUNTS_LIMIT",
    "/auth/get": "AUTH_LIMIT",
    "/identity/get": "IDENTITY_LIMIT",
    "/institutions/get": "INSTITUTIONS_GET_LIMIT",
    "/institutions/get_by_id": "INSTITUTIONS_GET_BY_ID_LIMIT",
    "/investments/holdings/get": "INVESTMENT_HOLDINGS_GET_LIMIT",
    "/investments/transactions/get": "INVESTMENT_TRANSACTIONS_LIMIT",
    "/item/get": "ITEM_GET_LIMIT",
    "/transactions/get": "TRANSACTIONS_LIMIT",
    "/transactions/refresh": "TRANSACTIONS_REFRESH_LIMIT",
    "/transactions/sync": "TRANSACTIONS_SYNC_LIMIT",
}


def case(path: str, code: str, given: Given = nothing, **changes: Any) -> Case:
    """Return a case of the table below."""
    return Case(path=path, code=code, given=given, changes=changes)


def of_tokens() -> Iterator[Case]:
    """Return the ways in which each token can be wrong."""
    for path in ITEM_PATHS:
        for wrong in ("nonsense", f"access-production-{UUID}", f"access-sandbox-{UUID}"):
            yield case(path, "INVALID_ACCESS_TOKEN", access_token=wrong)
        yield case(path, "ITEM_NOT_FOUND", a_removed_item)
    for wrong in ("nonsense", f"public-production-{UUID}", f"public-sandbox-{UUID}"):
        yield case(EXCHANGE, "INVALID_PUBLIC_TOKEN", public_token=wrong)
    for given in (
        an_old_public_token, a_spent_public_token, a_removed_item, update_modes_public_token,
    ):  # fmt: skip
        yield case(EXCHANGE, "INVALID_PUBLIC_TOKEN", given)
    for wrong in ("nonsense", f"link-sandbox-{UUID}"):
        yield case("/link/token/get", "INVALID_LINK_TOKEN", link_token=wrong)
    yield case("/webhook_verification_key/get", "INVALID_WEBHOOK_VERIFICATION_KEY_ID", key_id="1")
    for path in (OPEN, CREATE):
        yield case(path, "INVALID_USER_ID", user_id="person-1")
        yield case(path, "INVALID_USER_TOKEN", user_token="nonsense")


def of_products() -> Iterator[Case]:
    """Return what a product can lack: bank, consent, data, accounts."""
    for path, call in CALLS.items():
        if call.product is not None and path != SPEND:
            if call.product not in ("auth", "identity"):
                bare = an_item("auth", institution="ins_130016")
                yield case(path, "PRODUCTS_NOT_SUPPORTED", bare)
            other = "identity" if call.product == "auth" else "auth"
            yield case(path, "ADDITIONAL_CONSENT_REQUIRED", an_item(other))
    for path, code, product in (
        ("/auth/get", "NO_AUTH_ACCOUNTS", "auth"),
        ("/investments/holdings/get", "NO_INVESTMENT_ACCOUNTS", "investments"),
        ("/investments/transactions/get", "NO_INVESTMENT_ACCOUNTS", "investments"),
        ("/investments/auth/get", "NO_INVESTMENT_AUTH_ACCOUNTS", "investments_auth"),
    ):
        yield case(path, code, accounts_of("credit", "credit card", product))
    checking = accounts_of("depository", "checking", "liabilities")
    yield case("/liabilities/get", "NO_LIABILITY_ACCOUNTS", checking)


def of_waiting() -> Iterator[Case]:
    """Return what is not there yet, on an Item whose history is held back."""
    for path in (
        "/transactions/get", "/transactions/recurring/get", "/statements/list",
        "/statements/download", "/statements/refresh",
    ):  # fmt: skip
        yield case(path, "PRODUCT_NOT_READY")
    in_background = {"async_update": True}
    yield case("/investments/transactions/get", "PRODUCT_NOT_READY", options=in_background)


def of_accounts() -> Iterator[Case]:
    """Return an account of nobody's, wherever one can be named."""
    for path in (
        "/accounts/balance/get", "/accounts/get", "/auth/get", "/identity/get",
        "/investments/auth/get", "/investments/holdings/get", "/investments/transactions/get",
        "/liabilities/get", "/transactions/get",
    ):  # fmt: skip
        yield case(path, "INVALID_ACCOUNT_ID", options={"account_ids": ["$account", "nobody's"]})
    yield case("/transactions/recurring/get", "INVALID_ACCOUNT_ID", account_ids=["nobody's"])
    yield case(SYNC, "INVALID_ACCOUNT_ID", options={"account_id": "nobody's"})
    verify = "/sandbox/item/set_verification_status"
    yield case(verify, "INVALID_ACCOUNT_ID", account_id="nobody's")


def of_link() -> Iterator[Case]:
    """Return what a link token can't be made with."""
    for array in ("products", "optional_products", "additional_consented_products"):
        yield case(OPEN, "INVALID_PRODUCT", nothing, **{array: ["balance"]})
    yield case(OPEN, "MISSING_FIELDS", products=None)
    for wrong in ("me@example.com", "+1 415 555 0123"):
        yield case(OPEN, "INVALID_FIELD", user={"client_user_id": wrong})
    yield case(OPEN, "INVALID_FIELD", client_name="x" * 31)
    yield case(OPEN, "INVALID_FIELD", optional_products=LINK["products"])
    yield case(OPEN, "INVALID_FIELD", products=["statements"])
    yield case(OPEN, "INVALID_FIELD", redirect_uri="https://example.com/?a=b")
    strict = partial(settings, redirect_uris=["https://example.com/"])
    yield case(OPEN, "INVALID_FIELD", strict, redirect_uri="https://example.org/")
    update: dict[str, Any] = {"access_token": "$access", "products": None}
    yield case(OPEN, "INVALID_FIELD", access_token="$access")
    yield case(
        OPEN,
        "INVALID_FIELD",
        nothing,
        **update,
        account_filters={"other": {"account_subtypes": []}},
    )
    yield case(OPEN, "INVALID_ACCESS_TOKEN", nothing, **{**update, "access_token": "nonsense"})
    yield case(OPEN, "ITEM_NOT_FOUND", a_removed_item, **update)
    yield case(OPEN, "USER_PERMISSION_REVOKED", a_revoked_item, **update)


def of_institutions() -> Iterator[Case]:
    """Return banks that are not there, not up, or can't do it."""
    by_id = "/institutions/get_by_id"
    for institution_id in ("ins_0", "ins_43"):
        yield case(by_id, "INVALID_INSTITUTION", institution_id=institution_id)
    for path in ("/item/import", CREATE):
        yield case(path, "INVALID_INSTITUTION", institution_id="ins_0")
        yield case(path, "INSTITUTION_DOWN", institution_id="ins_132361")
        yield case(path, "PRODUCTS_NOT_SUPPORTED", institution_id="ins_133402")
    yield case("/item/import", "INVALID_PRODUCT", products=["nonsense"])


def of_the_sandbox() -> Iterator[Case]:
    """Return what only the Sandbox refuses."""
    yield case(CREATE, "INVALID_PRODUCT", initial_products=["recurring_transactions"])
    yield case(CREATE, "INVALID_FIELD", initial_products=["statements"])
    yield case(CREATE, "INVALID_CREDENTIALS", options={"override_password": "wrong"})
    for code in ("ITEM_LOCKED", "INVALID_MFA", "INSTITUTION_NOT_RESPONDING"):
        yield case(CREATE, code, options={"override_password": f"error_{code}"})
    yield case(FIRE, "SANDBOX_WEBHOOK_INVALID", an_item("transactions", webhook=None))
    yield case(FIRE, "SANDBOX_PRODUCT_NOT_ENABLED", an_item("auth"))
    yield case(FIRE, "INVALID_FIELD", webhook_type="ITEM")
    yield case(SPEND, "INVALID_FIELD", an_item("transactions"))
    yield case(SPEND, "INVALID_FIELD", transactions=[SPENT] * 11)
    for wrong in ({"date_posted": "2026-06-14"}, {"date_transacted": "2026-05-01"}):
        yield case(SPEND, "INVALID_FIELD", transactions=[{**SPENT, **wrong}])


def of_data() -> Iterator[Case]:
    """Return cursors, statements and transactions of one's own that are none."""
    for cursor in ("nonsense", "$strangers"):
        yield case(SYNC, "INVALID_FIELD", a_strangers_cursor, cursor=cursor)
    yield case(SYNC, "INVALID_FIELD", a_strangers_cursor, cursor="A" * 257)
    mutation = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
    yield case(SYNC, mutation, a_strangers_cursor, cursor="$void")
    yield case("/statements/download", "INVALID_FIELD", statement_id="nobody's")
    for start, end in (("2026-02-01", "2026-01-01"), ("2020-01-01", "2026-01-01")):
        yield case("/statements/refresh", "INVALID_FIELD", start_date=start, end_date=end)
    for wrong in ([PROVIDED] * 101, [{**PROVIDED, "amount": -1}], []):
        yield case("/transactions/enrich", "INVALID_FIELD", transactions=wrong)


def of_paths() -> Iterator[Case]:
    """Return endpoints that are not there, not for us, or of the past."""
    yield Case(path="/no/such/path", code="NOT_FOUND", status=404)
    yield Case(path="/item/add_token/create", code="NO_LONGER_AVAILABLE", status=404)
    yield case("/item/create", "DIRECT_INTEGRATION_NOT_ENABLED")
    yield case("/transfer/create", "UNAUTHORIZED_ROUTE_ACCESS")
    yield case("/processor/auth/get", "INVALID_PROCESSOR_TOKEN", processor_token="nonsense")


def of_limits() -> Iterator[Case]:
    """Return one call too many of each endpoint, under its documented code or, without one, ours."""
    for path in CALLS:
        code = LIMIT_CODES.get(path) or path[1:].replace("/", "_").upper() + "_LIMIT"
        if path == "/accounts/balance/get":
            code = "ACCOUNTS_BALANCE_GET_LIMIT"
        yield Case(
            path=path,
            code=code,
            status=429,
            type="RATE_LIMIT_EXCEEDED",
            given=limited(path, "client"),
        )
    yield Case(
        path="/accounts/balance/get",
        code="BALANCE_LIMIT",
        status=429,
        given=limited("/accounts/balance/get", "item"),
    )


def of_faults() -> dict[str, list[Case]]:
    """Return every refusal that has a name, on every endpoint that it can strike, once it is planted."""
    found = {}
    for name, fault in CALL_FAULTS.items():
        told = re.fullmatch(r"(\d{3}) `(\w+)`", fault.does)
        if told is not None:
            status, code = int(told[1]), told[2]
            found[name] = [Case(path=path, code=code, status=status) for path in _struck(fault)]
    return found


def _struck(fault: CallFault) -> list[str]:
    struck = [each for each in CALLS if any(covers(path, each) for path in fault.paths)]
    about_items = fault.fits is about_an_item
    return [each for each in struck if each in ITEM_PATHS or not about_items]


def of_logins() -> Iterator[Case]:
    """Return every lasting error of an Item and of its bank, on every endpoint that asks there."""
    for code in sorted(LASTING_ERRORS.keys() - {"USER_PERMISSION_REVOKED"}):
        given = broken(code)
        for path in DATA_PATHS:
            yield case(path, code, given)
    for path in DATA_PATHS:
        yield case(path, "USER_PERMISSION_REVOKED", a_revoked_item)
        yield case(path, "INSTITUTION_DOWN", at_a_bank_that_is_down)

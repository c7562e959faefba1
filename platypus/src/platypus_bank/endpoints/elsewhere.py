"""Plaid's endpoints that are not emulated: they answer as to a client that was not given them."""

from platypus_bank.errors import (
    DirectIntegrationNotEnabled,
    InvalidProcessorToken,
    NoLongerAvailable,
    NotFound,
    PlaidError,
    UnauthorizedRouteAccess,
)

# The first word of the paths in Plaid's OpenAPI file, without those that are emulated as a whole.
_FAMILIES = frozenset(
    [
        "application", "asset_report", "auth", "bank_transfer", "beacon", "beta",
        "business_verification", "cashflow_report", "consent", "consumer_report", "cra", "credit",
        "dashboard_user", "employers", "employment", "fdx", "identity", "identity_verification",
        "idv_classic", "income", "issues", "item", "items", "link", "link_delivery", "network",
        "oauth", "partner", "payment_initiation", "payment_profile", "processor", "profile",
        "protect", "sandbox", "session", "signal", "transactions", "transfer", "user",
        "user_account", "wallet", "watchlist_screening",
    ]
)  # fmt: skip

# It made what Link was opened with before there were link tokens, and is not in the OpenAPI file any
# more. That this one is meant by NO_LONGER_AVAILABLE is ours.
_DISCONTINUED = {"/item/add_token/create"}


def refusal(path: str) -> PlaidError:
    """Return what Plaid would say to a call of `path`: not enabled, or no such endpoint at all.

    One is discontinued, and /item/create wants Link instead. A processor's endpoints have their own
    word for a token that nobody can have got here.
    """
    if path in _DISCONTINUED:
        return NoLongerAvailable()
    if path == "/item/create":
        return DirectIntegrationNotEnabled()
    _, _, rest = path.partition("/")
    family, _, more = rest.partition("/")
    if family == "processor" and not more.endswith("token/create"):
        return InvalidProcessorToken()
    return UnauthorizedRouteAccess() if more and family in _FAMILIES else NotFound()

"""What the doctor hears from Plaid: credentials, products, the redirect URI, the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core.errors import PlaidRefusedError
from bankloom.services.doctor.findings import Finding, failure, ok, warning
from bankloom.services.open_link import LINKABLE_PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime

NOBODY = "bankloom-doctor"
"""Whom the link tokens are for; nobody opens them, and they cost nothing."""

SKEW_SECONDS_LOW = 30.0
SKEW_SECONDS_MAX = 240.0
"""A webhook is refused when it is 5 minutes old, or from the future (plaid.com/docs/api/webhooks)."""

FIRST = LINKABLE_PRODUCTS[0]


def look(runtime: Runtime) -> Iterator[Finding]:
    """Ask for link tokens, one a product: what may not be asked for is refused right there."""
    refused = _refusal(runtime, FIRST)
    if refused is not None and refused.error_code != "INVALID_PRODUCT":
        yield _first_refusal(runtime, refused)
        return
    yield ok("Plaid", "Plaid takes PLAID_CLIENT_ID and PLAID_SECRET")
    if runtime.settings.plaid.redirect_uri:
        yield ok("redirect URI", f"Plaid takes {runtime.settings.plaid.redirect_uri}")
    yield _product(FIRST, refused)
    for product in LINKABLE_PRODUCTS[1:]:
        yield _product(product, _refusal(runtime, product))
    yield from _clock(runtime)


def _refusal(runtime: Runtime, product: str) -> PlaidRefusedError | None:
    try:
        runtime.plaid.link_token_create(NOBODY, {"products": [product]}, hosted=False)
    except PlaidRefusedError as error:
        return error
    return None


def _first_refusal(runtime: Runtime, refused: PlaidRefusedError) -> Finding:
    if refused.error_code == "INVALID_API_KEYS":
        env = runtime.settings.plaid.env
        return failure(
            "Plaid",
            f"Plaid knows no such PLAID_CLIENT_ID with this PLAID_SECRET in {env}",
            f"Copy both from dashboard.plaid.com/developers/keys: the secret of {env}.",
        )
    if "redirect" in refused.message.lower():
        return failure(
            "redirect URI",
            f"Plaid does not take {runtime.settings.plaid.redirect_uri}",
            "Add exactly that to dashboard.plaid.com/developers/api, or change PLAID_REDIRECT_URI.",
        )
    return failure(
        "Plaid", refused.message, f"plaid.com/docs/errors tells of {refused.error_code}."
    )


def _product(product: str, refused: PlaidRefusedError | None) -> Finding:
    if refused is None:
        return ok("products", f"{product} may be asked for")
    if refused.error_code != "INVALID_PRODUCT":
        next_step = f"plaid.com/docs/errors tells of {refused.error_code}."
        return failure("products", f"{product}: {refused.message}", next_step)
    return warning(
        "products",
        f"{product} may not be asked for: Plaid has not enabled it for this client",
        "Ask for it at dashboard.plaid.com/settings/team/products, if you need it.",
    )


def _clock(runtime: Runtime) -> Iterator[Finding]:
    apart = runtime.plaid.seconds_behind
    if apart is None:
        return
    seen = f"Plaid's clock and this machine's are {abs(apart):.0f} s apart"
    next_step = "Set this machine's clock by a time server (NTP): webhooks prove their age by it."
    if abs(apart) > SKEW_SECONDS_MAX:
        yield failure("clock", seen, next_step)
    elif abs(apart) > SKEW_SECONDS_LOW:
        yield warning("clock", seen, next_step)
    else:
        yield ok("clock", seen)

"""The refusals that are about the client's account with Plaid, each under its code in small letters."""

from collections.abc import Callable

from platypus_bank import errors
from platypus_bank.calls import Call
from platypus_bank.faults import spoiling
from platypus_bank.faults.asked import ANY_PATH
from platypus_bank.faults.named import CallFault

_LINK = ("/link/token/create",)
_ITEMS = (*_LINK, "/item/public_token/exchange", "/item/import", "/sandbox/public_token/create")


def _refusal(
    error: type[errors.PlaidError],
    paths: tuple[str, ...] = (ANY_PATH,),
    make: Callable[[Call], errors.PlaidError] | None = None,
    name: str = "",
) -> CallFault:
    return CallFault(
        name=name or error.code.lower(),
        does=f"{error.status} `{error.code}`",
        spoil=spoiling.refusing(make or (lambda _: error())),
        paths=paths,
    )


def of_clients() -> list[CallFault]:
    """Return what Plaid says to a client that has no right, no share left, or no such setting."""
    return [
        _refusal(errors.UnauthorizedRouteAccess),
        _refusal(errors.NoLongerAvailable),
        _refusal(errors.CreditsExhausted),
        _refusal(errors.GenericRateLimit, name="generic_rate_limit"),
        _refusal(errors.UnauthorizedEnvironment, _ITEMS),
        _refusal(errors.TrialConnectionLimit, _ITEMS),
        _refusal(errors.InvalidConfiguration, _LINK),
        _refusal(errors.InvalidLinkCustomization, _LINK),
        _refusal(errors.SandboxOnly, ("/sandbox/",), lambda call: errors.SandboxOnly(call.path)),
        _refusal(errors.LastUpdatedDatetimeOutOfRange, ("/accounts/balance/get",)),
    ]

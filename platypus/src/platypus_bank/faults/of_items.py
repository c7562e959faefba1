"""The refusals that are about one Item or its bank, each under its code in small letters."""

from collections.abc import Callable

from platypus_bank import errors
from platypus_bank.calls import Call
from platypus_bank.faults import spoiling
from platypus_bank.faults.named import CallFault

DATA = (
    "/accounts/", "/auth/", "/identity/", "/investments/", "/liabilities/", "/statements/",
    "/transactions/",
)  # fmt: skip
_UNREADY = ("/transactions/get", "/investments/transactions/get", "/auth/get")


def _refusal(
    error: type[errors.PlaidError],
    make: Callable[[Call], errors.PlaidError] | None = None,
    *,
    paths: tuple[str, ...] = DATA,
    retried: bool = False,
) -> CallFault:
    """Return the fault that answers with an error, under the error's code in small letters."""
    return CallFault(
        name=error.code.lower(),
        does=f"{error.status} `{error.code}`",
        spoil=spoiling.refusing(make or (lambda _: error())),
        paths=paths,
        fits=spoiling.about_an_item,
        retried=retried,
    )


def _product(call: Call) -> str:
    named = call.path.split("/")[1]
    return "balance" if named == "accounts" else named


def of_items() -> list[CallFault]:
    """Return every Item error of Plaid's, and what else is said of one Item."""
    plain = [
        errors.AccessNotGranted, errors.InstantMatchFailed, errors.InsufficientCredentials,
        errors.InvalidCredentials, errors.InvalidMfa, errors.InvalidOtp, errors.InvalidPhoneNumber,
        errors.InvalidSendMethod, errors.InvalidUpdatedUsername, errors.ItemConcurrentlyDeleted,
        errors.ItemLocked, errors.ItemLoginRequired, errors.ItemNotFound, errors.ItemNotSupported,
        errors.ManualVerificationRequired, errors.MfaNotSupported, errors.NoAccounts,
        errors.NoAuthAccounts, errors.NoInvestmentAccounts, errors.NoInvestmentAuthAccounts,
        errors.NoLiabilityAccounts, errors.PasswordResetRequired, errors.ProductNotEnabled,
        errors.UserInputTimeout, errors.UserPermissionRevoked, errors.UserSetupRequired,
        errors.InvalidAccessToken,
    ]  # fmt: skip
    return [
        _refusal(errors.ProductNotReady, paths=_UNREADY, retried=True),
        *(_refusal(each) for each in plain),
        _refusal(
            errors.ProductsNotSupported,
            lambda call: errors.ProductsNotSupported([_product(call)]),
        ),
        _refusal(
            errors.AdditionalConsentRequired,
            lambda call: errors.AdditionalConsentRequired(_product(call)),
        ),
    ]


def of_institutions() -> list[CallFault]:
    """Return every institution error of Plaid's, and its rate limit; some pass by themselves."""
    passing = (
        errors.InstitutionDown,
        errors.InstitutionNotResponding,
        errors.InstitutionNotAvailable,
    )
    lasting = (
        errors.InstitutionNoLongerSupported,
        errors.InstitutionNotEnabledInEnvironment,
        errors.InstitutionRegistrationRequired,
        errors.UnauthorizedInstitution,
        errors.UnsupportedResponse,
    )
    return [
        *(_refusal(each, retried=True) for each in passing),
        _refusal(errors.InstitutionRateLimit, retried=True),
        *(_refusal(each) for each in lasting),
    ]

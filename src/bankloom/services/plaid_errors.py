"""What each of Plaid's errors means for us: one table, closed by default.

Source: plaid.com/docs/errors. A code that is not here is permanent: it is not retried for ever.
Only limits and Plaid's own faults pass by themselves whatever their code.
"""

from __future__ import annotations

import enum
from http import HTTPStatus

import urllib3

from bankloom.core.errors import (
    BankloomError,
    ConfigurationError,
    PlaidLimitedError,
    PlaidRefusedError,
    PlaidUnreachableError,
    RebuildTooLargeError,
    WorldMismatchError,
)


class Remedy(enum.Enum):
    """What to do about an error."""

    RETRY = "try again later, with backoff"
    RESTART_LOOP = "restart the loop at its first cursor"
    REBUILD = "pull everything again from the empty cursor"
    NOT_READY = "wait: Plaid has not got the data yet"
    RELINK = "the person must go through Link's update mode"
    REREAD_ACCOUNTS = "read the accounts again"
    CONSENT_NEEDED = "the person must consent to this product"
    NOT_SUPPORTED = "this Item does not have the product"
    PERMANENT = "an operator must look at it"


_RATE_LIMIT = "RATE_LIMIT_EXCEEDED"
_BY_TYPE = {
    _RATE_LIMIT: Remedy.RETRY,
    "API_ERROR": Remedy.RETRY,
}
_BY_CODE = {
    "INVALID_API_KEYS": Remedy.RETRY,  # an operator mends the settings, and then every Item goes on
    "TRIAL_CONNECTION_LIMIT": Remedy.PERMANENT,
    "CREDITS_EXHAUSTED": Remedy.PERMANENT,
    "INSTITUTION_DOWN": Remedy.RETRY,
    "INSTITUTION_NOT_RESPONDING": Remedy.RETRY,
    "INSTITUTION_NOT_AVAILABLE": Remedy.RETRY,
    "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION": Remedy.RESTART_LOOP,
    "PRODUCT_NOT_READY": Remedy.NOT_READY,
    "ITEM_LOGIN_REQUIRED": Remedy.RELINK,
    "ACCESS_NOT_GRANTED": Remedy.RELINK,
    "NO_ACCOUNTS": Remedy.RELINK,
    "INSUFFICIENT_CREDENTIALS": Remedy.RELINK,
    "INVALID_CREDENTIALS": Remedy.RELINK,
    "INVALID_MFA": Remedy.RELINK,
    "INVALID_UPDATED_USERNAME": Remedy.RELINK,
    "ITEM_LOCKED": Remedy.RELINK,
    "USER_SETUP_REQUIRED": Remedy.RELINK,
    "PASSWORD_RESET_REQUIRED": Remedy.RELINK,
    "MANUAL_VERIFICATION_REQUIRED": Remedy.RELINK,
    "ITEM_NOT_FOUND": Remedy.RELINK,
    "ITEM_CONCURRENTLY_DELETED": Remedy.RELINK,
    "USER_PERMISSION_REVOKED": Remedy.RELINK,
    "ACCESS_TOKEN_LOST": Remedy.RELINK,
    "INVALID_ACCOUNT_ID": Remedy.REREAD_ACCOUNTS,
    "ADDITIONAL_CONSENT_REQUIRED": Remedy.CONSENT_NEEDED,
    "PRODUCTS_NOT_SUPPORTED": Remedy.NOT_SUPPORTED,
    "PRODUCT_NOT_SUPPORTED": Remedy.NOT_SUPPORTED,
    "PRODUCT_NOT_ENABLED": Remedy.NOT_SUPPORTED,
    "NO_INVESTMENT_ACCOUNTS": Remedy.NOT_SUPPORTED,
    "NO_LIABILITY_ACCOUNTS": Remedy.NOT_SUPPORTED,
    "NO_AUTH_ACCOUNTS": Remedy.NOT_SUPPORTED,
    "ITEM_NOT_SUPPORTED": Remedy.NOT_SUPPORTED,
    "MFA_NOT_SUPPORTED": Remedy.NOT_SUPPORTED,
}


TOKEN_VOID = "INVALID_ACCESS_TOKEN"  # noqa: S105 - the code of an error
"""Plaid's code for an access token that it does not know, or no longer."""

TOKEN_LOST = "ACCESS_TOKEN_LOST"  # noqa: S105 - the code of an error
"""Our own: Plaid gave another access token, and it was lost on its way to us (decision 17)."""

FOR_THE_PERSON = frozenset({Remedy.RELINK, Remedy.CONSENT_NEEDED})
"""What only the person can mend, at Link."""

CODES_FOR_THE_PERSON = frozenset(code for code, what in _BY_CODE.items() if what in FOR_THE_PERSON)

_NEEDS_A_PERSON = (RebuildTooLargeError, ConfigurationError, WorldMismatchError)


GONE = frozenset(
    {
        "ITEM_NOT_FOUND",
        "ITEM_CONCURRENTLY_DELETED",
        "USER_PERMISSION_REVOKED",
        "INVALID_UPDATED_USERNAME",
        TOKEN_LOST,
    }
)
"""Errors of an Item that no update mode repairs: the person links the bank anew."""


ALREADY_GONE = frozenset({"ITEM_NOT_FOUND", "INVALID_ACCESS_TOKEN"})
"""What `/item/remove` answers for an Item that is not there any more, if the token is the current one."""

REVOKED_BY_PERSON = "USER_PERMISSION_REVOKED"
"""The person took their permission back, after which Plaid recommends to delete their data."""


def may_have_been_done(error: BankloomError) -> bool:
    """Say whether a call that failed may have had its effect: Plaid broke in the middle, or fell silent.

    No limit does so.
    """
    if isinstance(error, PlaidUnreachableError):
        return error.was_sent
    if not isinstance(error, PlaidRefusedError) or isinstance(error, PlaidLimitedError):
        return False
    broke = error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return broke or error.error_type == "API_ERROR"


def remedy_of_code(error_code: str) -> Remedy:
    """Say what to do about one of Plaid's error codes, as far as the code alone tells."""
    return _BY_CODE.get(error_code, Remedy.PERMANENT)


def is_passing_limit(error_type: str, error_code: str) -> bool:
    """Say whether it is a rate limit that passes by itself, and not one that an operator must lift."""
    return error_type == _RATE_LIMIT and _BY_CODE.get(error_code, Remedy.RETRY) is Remedy.RETRY


def remedy(error: BankloomError) -> Remedy:
    """Say what to do about a failed try, whether Plaid refused it or something of ours broke."""
    if not isinstance(error, PlaidRefusedError):
        return Remedy.PERMANENT if isinstance(error, _NEEDS_A_PERSON) else Remedy.RETRY
    by_type = _BY_TYPE.get(error.error_type, Remedy.PERMANENT)
    what = _BY_CODE.get(error.error_code, by_type)
    return Remedy.REBUILD if what is Remedy.PERMANENT and _names_cursor(error) else what


def remedy_of_pull(error: PlaidRefusedError, cursor: str) -> Remedy:
    """Say what to do about a refusal of `/transactions/sync` that was sent this cursor.

    Plaid documents no error for a cursor that it does not take. Seen is INVALID_FIELD; of the
    fields that we send, the cursor alone differs from one call to the next.
    """
    what = remedy(error)
    is_cursors_fault = cursor != "" and error.error_code == "INVALID_FIELD"
    return Remedy.REBUILD if is_cursors_fault and what is Remedy.PERMANENT else what


def outcome(error: BankloomError) -> str:
    """Name how a call to Plaid failed, by one of few words: whoever answers may make up others."""
    if not isinstance(error, PlaidRefusedError):
        silent = getattr(error.__cause__, "reason", error.__cause__)
        return "timeout" if isinstance(silent, urllib3.exceptions.TimeoutError) else "no answer"
    known = (name for name in (error.error_code, error.error_type) if name in _BY_CODE | _BY_TYPE)
    return next(known, "other error")


def _names_cursor(error: PlaidRefusedError) -> bool:
    """Say whether Plaid blames the cursor, in whatever words: those in use are not documented."""
    return "cursor" in error.message.lower()

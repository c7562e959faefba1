"""What Plaid's errors mean: one table, and what it does not know is never retried for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bankloom.core.errors import (
    BankloomError,
    ConfigurationError,
    DatabaseLostError,
    PlaidRefusedError,
    PlaidUnreachableError,
    RebuildTooLargeError,
    StagingIncompleteError,
    WorldMismatchError,
)
from bankloom.core.keyring import SealBrokenError
from bankloom.services.plaid_errors import Remedy, remedy, remedy_of_pull

PLAIDS_PAGES = {
    Remedy.RETRY: """
        API_ERROR/INTERNAL_SERVER_ERROR API_ERROR/PLANNED_MAINTENANCE
        RATE_LIMIT_EXCEEDED/TRANSACTIONS_SYNC_LIMIT RATE_LIMIT_EXCEEDED/RATE_LIMIT
        RATE_LIMIT_EXCEEDED/INSTITUTION_RATE_LIMIT RATE_LIMIT_EXCEEDED/ANYTHING_NEW
        INSTITUTION_ERROR/INSTITUTION_DOWN INSTITUTION_ERROR/INSTITUTION_NOT_RESPONDING
        INSTITUTION_ERROR/INSTITUTION_NOT_AVAILABLE INVALID_INPUT/INVALID_API_KEYS
    """,
    Remedy.RESTART_LOOP: "TRANSACTIONS_ERROR/TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
    Remedy.NOT_READY: "ITEM_ERROR/PRODUCT_NOT_READY",
    Remedy.RELINK: """
        ITEM_ERROR/ITEM_LOGIN_REQUIRED ITEM_ERROR/ACCESS_NOT_GRANTED ITEM_ERROR/NO_ACCOUNTS
        ITEM_ERROR/INSUFFICIENT_CREDENTIALS ITEM_ERROR/INVALID_CREDENTIALS ITEM_ERROR/INVALID_MFA
        ITEM_ERROR/ITEM_LOCKED ITEM_ERROR/USER_SETUP_REQUIRED ITEM_ERROR/PASSWORD_RESET_REQUIRED
        ITEM_ERROR/MANUAL_VERIFICATION_REQUIRED ITEM_ERROR/ITEM_NOT_FOUND
        ITEM_ERROR/ITEM_CONCURRENTLY_DELETED INVALID_INPUT/USER_PERMISSION_REVOKED
        ITEM_ERROR/USER_PERMISSION_REVOKED ITEM_ERROR/INVALID_UPDATED_USERNAME
    """,
    Remedy.CONSENT_NEEDED: "INVALID_INPUT/ADDITIONAL_CONSENT_REQUIRED",
    Remedy.REREAD_ACCOUNTS: "INVALID_INPUT/INVALID_ACCOUNT_ID",
    Remedy.NOT_SUPPORTED: """
        ITEM_ERROR/PRODUCTS_NOT_SUPPORTED ITEM_ERROR/PRODUCT_NOT_ENABLED
        ITEM_ERROR/NO_INVESTMENT_ACCOUNTS ITEM_ERROR/NO_LIABILITY_ACCOUNTS
        ITEM_ERROR/NO_AUTH_ACCOUNTS ITEM_ERROR/ITEM_NOT_SUPPORTED ITEM_ERROR/MFA_NOT_SUPPORTED
    """,
    Remedy.PERMANENT: """
        INVALID_INPUT/INVALID_ACCESS_TOKEN
        INVALID_INPUT/UNAUTHORIZED_ENVIRONMENT INVALID_INPUT/UNAUTHORIZED_ROUTE_ACCESS
        INVALID_INPUT/INVALID_PRODUCT INVALID_INPUT/INVALID_INSTITUTION
        INVALID_INPUT/INVALID_LINK_CUSTOMIZATION INVALID_REQUEST/MISSING_FIELDS
        INVALID_REQUEST/UNKNOWN_FIELDS INVALID_REQUEST/INVALID_FIELD INVALID_REQUEST/INVALID_BODY
        INVALID_REQUEST/INVALID_HEADERS INVALID_REQUEST/INVALID_CONFIGURATION
        INVALID_REQUEST/SANDBOX_ONLY INSTITUTION_ERROR/INSTITUTION_NO_LONGER_SUPPORTED
        INSTITUTION_ERROR/UNAUTHORIZED_INSTITUTION
        INSTITUTION_ERROR/INSTITUTION_REGISTRATION_REQUIRED INSTITUTION_ERROR/UNSUPPORTED_RESPONSE
        RATE_LIMIT_EXCEEDED/CREDITS_EXHAUSTED RATE_LIMIT_EXCEEDED/TRIAL_CONNECTION_LIMIT
    """,
}


def refusal(error: str, message: str = "a message") -> PlaidRefusedError:
    error_type, _, code = error.partition("/")
    return PlaidRefusedError(error_type, code, message, http_status=400)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(error, what) for what, errors in PLAIDS_PAGES.items() for error in errors.split()],
)
def test_plaids_errors(error: str, expected: Remedy) -> None:
    """Each error of plaid.com/docs/errors has the remedy that its page names."""
    assert remedy(refusal(error)) is expected


@pytest.mark.parametrize(
    "message",
    [
        "cursor not associated with access_token",
        "Cursor not associated with access_token",
        "the provided cursor is invalid",
        "CURSOR_EXPIRED",
    ],
)
@pytest.mark.parametrize(
    "error",
    ["INVALID_REQUEST/INVALID_FIELD", "INVALID_INPUT/INVALID_FIELD", "INVALID_INPUT/BRAND_NEW"],
)
def test_a_refusal_that_blames_the_cursor_is_rebuilt(error: str, message: str) -> None:
    """Plaid documents neither code nor words for a cursor that it does not take."""
    assert remedy(refusal(error, message)) is Remedy.REBUILD
    assert remedy_of_pull(refusal(error, message), "sent") is Remedy.REBUILD


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("RATE_LIMIT_EXCEEDED/TRANSACTIONS_SYNC_LIMIT", Remedy.RETRY),
        ("ITEM_ERROR/ITEM_LOGIN_REQUIRED", Remedy.RELINK),
        ("TRANSACTIONS_ERROR/TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION", Remedy.RESTART_LOOP),
    ],
)
def test_a_known_error_may_speak_of_the_cursor(error: str, expected: Remedy) -> None:
    """Words never decide over a code of the table."""
    assert remedy(refusal(error, "start again at the first cursor")) is expected
    assert remedy_of_pull(refusal(error, "start again at the first cursor"), "sent") is expected


def test_an_invalid_field_beside_a_cursor_is_rebuilt() -> None:
    """Where a cursor was sent it is the likely one; without, it is a bug of ours."""
    invalid_field = refusal("INVALID_REQUEST/INVALID_FIELD")
    assert remedy_of_pull(invalid_field, "sent") is Remedy.REBUILD
    assert remedy_of_pull(invalid_field, "") is Remedy.PERMANENT
    assert remedy_of_pull(refusal("INVALID_REQUEST/MISSING_FIELDS"), "sent") is Remedy.PERMANENT


@given(
    some.sampled_from(["ITEM_ERROR", "INVALID_INPUT", "INSTITUTION_ERROR", "INVALID_REQUEST"])
    | some.text(),
    some.text().map(lambda name: f"NEW_{name}"),
)
def test_unknown_codes_are_closed_by_default(error_type: str, code: str) -> None:
    """What Plaid may invent is for an operator, unless its type says that waiting helps."""
    error = PlaidRefusedError(error_type, code, "new", http_status=400)
    expected = {"RATE_LIMIT_EXCEEDED": Remedy.RETRY, "API_ERROR": Remedy.RETRY}
    assert remedy(error) is expected.get(error_type, Remedy.PERMANENT)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PlaidUnreachableError(), Remedy.RETRY),
        (DatabaseLostError(), Remedy.RETRY),
        (StagingIncompleteError(), Remedy.RETRY),
        (BankloomError(), Remedy.RETRY),
        (RebuildTooLargeError(), Remedy.PERMANENT),
        (ConfigurationError("wrong"), Remedy.PERMANENT),
        (SealBrokenError(), Remedy.PERMANENT),
        (WorldMismatchError(), Remedy.PERMANENT),
    ],
)
def test_errors_of_our_own(error: BankloomError, expected: Remedy) -> None:
    """What may pass by itself is tried again; what a person has to set right is not."""
    assert remedy(error) is expected

"""The errors a caller can meet: each class carries its machine code and HTTP status.

A class's docstring is its message where the raiser gives none. One handler renders all of them.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


class BankloomError(Exception):
    """Something went wrong inside Bankloom. The log has the details."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0]
        self.details = details
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """Return the JSON body of this error: `{error: {code, message, ...details}}`."""
        return {"error": {"code": self.code, "message": self.message, **self.details}}


class InvalidRequestError(BankloomError):
    """The request is not of the documented shape. See /docs for the fields and their types."""

    code = "invalid_request"
    status = 422


class MalformedJsonError(BankloomError):
    """The body is not JSON. Send one JSON object with Content-Type application/json."""

    code = "malformed_json"
    status = 400


class BodyTooLargeError(BankloomError):
    """The body is larger than 1 MiB, and nothing that this service takes is."""

    code = "body_too_large"
    status = 413


class NotFoundError(BankloomError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class MethodNotAllowedError(BankloomError):
    """The path does not take that method. See /docs for the ones it takes."""

    code = "method_not_allowed"
    status = 405


class InvalidProductsError(BankloomError):
    """Those products can't be asked for."""

    code = "invalid_products"
    status = 422


class UserRequiredError(BankloomError):
    """More than one user is stored. Add user_id=<one of them>, or user_id=* for everyone."""

    code = "user_id_required"
    status = 422


class UserUnknownError(BankloomError):
    """None of the newest open Link sessions knows this public token, so its user is unknown.

    Nothing was exchanged.
    """

    code = "user_unknown"
    status = 422


class UnknownPublicTokenError(BankloomError):
    """The public token is unknown, expired or already spent. Open Link again for a new one."""

    code = "unknown_public_token"
    status = 400


class UnknownLinkTokenError(BankloomError):
    """The link token was not made here, or not for that user_id."""

    code = "unknown_link_token"
    status = 422


class DuplicateItemError(BankloomError):
    """The person has linked these accounts before, and nothing was exchanged.

    Send them through update mode of the Item named here, or repeat the call with
    allow_duplicate=true.
    """

    code = "duplicate_item"
    status = 409

    def __init__(self, item_id: str) -> None:
        super().__init__(
            "This person has already linked these accounts, and the public token was not spent. "
            "Repair or extend the Item named in item_id through Link's update mode, or repeat "
            "this call with allow_duplicate=true to link them a second time.",
            item_id=item_id,
        )


class ItemGoneError(BankloomError):
    """No update mode repairs this Item: the bank or the person has ended it.

    Open Link for a new one with POST /plaid/link-token; its accounts are no duplicates.
    """

    code = "item_gone"
    status = 409

    def __init__(self, error_code: str | None) -> None:
        super().__init__(
            "No update mode repairs this Item: its access was ended for good. Open Link for a new "
            "one with POST /plaid/link-token; the same accounts are no duplicates then.",
            error_code=error_code,
        )


class ExchangeInProgressError(BankloomError):
    """Another call is exchanging this public token. Repeat this one in a few seconds."""

    code = "exchange_in_progress"
    status = 409


class WorldMismatchError(BankloomError):
    """The Item belongs to another Plaid environment, host or client than the one configured."""

    code = "world_mismatch"
    status = 409


class PlaidRefusedError(BankloomError):
    """Plaid answered with an error."""

    code = "plaid_error"
    status = 502

    def __init__(  # noqa: PLR0913 - the fields of Plaid's own error body
        self,
        error_type: str,
        error_code: str,
        plaid_message: str,
        *,
        http_status: int,
        request_id: str | None = None,
        display_message: str | None = None,
        **more: Any,
    ) -> None:
        self.error_type = error_type
        self.error_code = error_code
        self.http_status = http_status
        self.request_id = request_id
        super().__init__(
            f"Plaid refused: {plaid_message}",
            error_type=error_type,
            error_code=error_code,
            request_id=request_id,
            display_message=display_message,
            **more,
        )


class PlaidBusyError(BankloomError):
    """Plaid may not be asked this yet: its rate limit is used up. Repeat the call a little later.

    Nothing was sent, unless it is a `PlaidLimitedError`. `free_at` is the earliest time at which the
    call could leave, None where nobody knows. Whose Item it is may cool until then: asking sooner
    is refused again.
    """

    code = "plaid_busy"
    status = 503

    def __init__(
        self, message: str | None = None, *, free_at: datetime | None = None, **details: Any
    ) -> None:
        self.free_at = free_at
        super().__init__(message, **details, free_at=free_at)


class PlaidLimitedError(PlaidRefusedError, PlaidBusyError):
    """Plaid itself refused: too many calls in a short time (HTTP 429). Repeat the call later.

    It is both, a refusal with Plaid's codes and a reason to wait; `free_at` is what Plaid's
    Retry-After said.
    """

    code = PlaidBusyError.code
    status = PlaidBusyError.status


class PlaidUnreachableError(BankloomError):
    """Plaid could not be reached or gave no readable answer. Try again; nothing was lost.

    `was_sent` False: no (secure) connection came about, so Plaid has not seen the request.
    """

    code = "plaid_unreachable"
    status = 502

    def __init__(self, message: str | None = None, *, was_sent: bool = True) -> None:
        self.was_sent = was_sent
        super().__init__(message)


class DatabaseLostError(BankloomError):
    """The database went away in the middle of the work, which will be done again."""

    code = "database_lost"
    status = 503


class StoppingError(BankloomError):
    """The service was told to stop while this call waited. Nothing is lost: repeat the call."""

    code = "stopping"
    status = 503


class WebhookRefusedError(BankloomError):
    """That Plaid sent this is not proven. `bankloom webhooks list --refused` tells the operator why."""

    code = "webhook_refused"
    status = 401


class WebhookUndecidedError(BankloomError):
    """Whether Plaid sent this can't be found out right now. Send it again."""

    code = "webhook_undecided"
    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "30"}


class StagingIncompleteError(BankloomError):
    """The staged pages are not those that were pulled; the run starts again."""

    code = "staging_incomplete"


class RebuildTooLargeError(BankloomError):
    """A rebuild would remove more transactions than BANKLOOM_REBUILD_REMOVAL_SHARE_MAX allows."""

    code = "rebuild_needs_consent"
    status = 502


class RunCancelledError(BankloomError):
    """Somebody cancelled this run. The Item's schedule goes on; ask for a sync to have one now."""

    code = "cancelled"
    status = 502


class ItemRemovedError(BankloomError):
    """The Item was removed, so nothing is synced any more. Link the bank anew to go on."""

    code = "item_removed"
    status = 502


class ConfigurationError(BankloomError):
    """The settings don't fit. The message says which one, and how to mend it."""

    code = "configuration"

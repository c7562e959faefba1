"""What every error of Plaid's has: type, code, HTTP status and wording (https://plaid.com/docs/errors/)."""

from typing import ClassVar

_DOCS = "https://plaid.com/docs/?ref=error"


class PlaidError(Exception):
    """A refusal in Plaid's own words; the message is the argument or the class's default."""

    type: ClassVar[str] = "API_ERROR"
    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 400
    message: ClassVar[str] = "an unexpected error occurred"
    display: ClassVar[str | None] = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def body(self) -> dict[str, object]:
        """Return the PlaidError schema of the OpenAPI file, without its request_id."""
        return error_body(self.type, self.code, str(self), self.display)


def error_body(kind: str, code: str, message: str, display: str | None = None) -> dict[str, object]:
    """Return one error in the shape every Plaid endpoint uses, without its request_id."""
    return {
        "display_message": display,
        "documentation_url": f"{_DOCS}#{kind.lower().replace('_', '-')}-errors",
        "error_code": code,
        "error_message": message,
        "error_type": kind,
        "suggested_action": None,
    }


class InternalServerError(PlaidError):
    """A fault of the emulator itself."""

    status = 500


class PlannedMaintenance(PlaidError):
    """Plaid is closed for a while."""

    code = "PLANNED_MAINTENANCE"
    status = 503
    message = (
        "the Plaid API is temporarily unavailable due to planned maintenance. "
        "visit https://status.plaid.com/ for more information"
    )


class RateLimitExceeded(PlaidError):
    """Too many calls in a minute; the code names the endpoint.

    `what` is the Item, or the words of the endpoint's path: "institutions get by id".
    """

    type = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, code: str, what: str = "this item") -> None:
        super().__init__(
            f"rate limit exceeded for attempts to access {what}. please try again later"
        )
        self.limit_code = code

    def body(self) -> dict[str, object]:
        """Return it under the code of the limit that was passed."""
        return super().body() | {"error_code": self.limit_code}

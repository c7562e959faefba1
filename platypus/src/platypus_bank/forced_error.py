"""The error that test credentials ask Link for (https://plaid.com/docs/sandbox/test-credentials/)."""

from platypus_bank.errors import PlaidError, error_body

_LINK_ERROR_TYPES = {
    "INSTITUTION_DOWN": "INSTITUTION_ERROR",
    "INSTITUTION_NOT_RESPONDING": "INSTITUTION_ERROR",
    "INSTITUTION_NO_LONGER_SUPPORTED": "INSTITUTION_ERROR",
    "INVALID_LINK_TOKEN": "INVALID_INPUT",
    "PLAID_ERROR": "API_ERROR",
    "RECAPTCHA_BAD": "RECAPTCHA_ERROR",
}


class ForcedError(PlaidError):
    """What a test user asked Link to fail with (`error_<CODE>`, `force_error`)."""

    def __init__(self, code: str) -> None:
        super().__init__("this error was asked for by the test credentials")
        self.forced_code = code

    def body(self) -> dict[str, object]:
        """Return the asked-for code under the error type it belongs to."""
        kind = _LINK_ERROR_TYPES.get(self.forced_code, "ITEM_ERROR")
        return error_body(kind, self.forced_code, str(self))

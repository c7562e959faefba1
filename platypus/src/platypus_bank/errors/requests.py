"""The request itself is wrong: INVALID_REQUEST, and what only the Sandbox refuses."""

from platypus_bank.errors.base import PlaidError


class InvalidRequest(PlaidError):
    """The request is malformed."""

    type = "INVALID_REQUEST"


class NotFound(InvalidRequest):
    """No such endpoint."""

    code = "NOT_FOUND"
    status = 404
    message = "not found"


class NoLongerAvailable(InvalidRequest):
    """An endpoint of the past."""

    code = "NO_LONGER_AVAILABLE"
    status = 404
    message = "This endpoint has been discontinued as of version 2020-09-14 of the API."


class SandboxOnly(InvalidRequest):
    """An endpoint of the Sandbox, called in Production."""

    code = "SANDBOX_ONLY"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"access to {path} is only available in the sandbox environment at "
            "https://sandbox.plaid.com/"
        )


class IncompatibleApiVersion(InvalidRequest):
    """A public_key instead of client_id and secret."""

    code = "INCOMPATIBLE_API_VERSION"
    message = (
        "The public_key cannot be used for this endpoint as of version 2020-09-14 of the API. "
        "Please use the client_id and secret instead."
    )


class InvalidConfiguration(InvalidRequest):
    """What Link is told is not as /link/token/create wants it."""

    code = "INVALID_CONFIGURATION"
    message = "please ensure that the request body is formatted correctly"


class InvalidHeaders(InvalidRequest):
    """A required header is not there; the words are ours, Plaid's "specific to the header"."""

    code = "INVALID_HEADERS"
    message = "the following required headers are missing: Content-Type"


class InvalidBody(InvalidRequest):
    """The body is not a JSON object, or not said to be one."""

    code = "INVALID_BODY"
    message = "body could not be parsed as JSON"


class MissingFields(InvalidRequest):
    """A required field is not there."""

    code = "MISSING_FIELDS"

    def __init__(self, fields: list[str]) -> None:
        super().__init__("the following required fields are missing: " + ", ".join(fields))


class UnknownFields(InvalidRequest):
    """A field the endpoint doesn't know."""

    code = "UNKNOWN_FIELDS"

    def __init__(self, fields: list[str]) -> None:
        names = ", ".join(fields)
        super().__init__(f"the following fields are not recognized by this endpoint: {names}")


class InvalidField(InvalidRequest):
    """A field has the wrong type or value."""

    code = "INVALID_FIELD"


class SandboxError(PlaidError):
    """Something only the Sandbox can do cannot be done."""

    type = "SANDBOX_ERROR"


class SandboxProductNotEnabled(SandboxError):
    """The Item lacks the product that a webhook is about."""

    code = "SANDBOX_PRODUCT_NOT_ENABLED"

    def __init__(self, product: str) -> None:
        super().__init__(f"The {product} product is not enabled on this item")


class SandboxWebhookInvalid(SandboxError):
    """The Item has no webhook."""

    code = "SANDBOX_WEBHOOK_INVALID"
    message = (
        "Webhook for this item is either not set up, or invalid. "
        "Please update the item's webhook and try again."
    )

"""The request itself is wrong: INVALID_REQUEST, and what only the Sandbox refuses."""

from platypus_bank.errors.base import PlaidError


class InvalidRequest(PlaidError):
    """The request is malformed."""

    type = "INVALID_REQUEST"


class NotFound(InvalidRequest):
    """No such endpoint."""

    code = "NOT_FOUND"
    status = 404
    message = "the requested endpoint was not found"


class InvalidBody(InvalidRequest):
    """The body is not a JSON object."""

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

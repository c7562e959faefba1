# ruff: noqa: N818 - each class bears the name of the code it stands for
"""Plaid's errors: type, code, HTTP status and wording (https://plaid.com/docs/errors/)."""

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


class RateLimitExceeded(PlaidError):
    """Too many calls in a minute; the code names the endpoint."""

    type = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, code: str, *, of_item: bool) -> None:
        of_what = "access this item" if of_item else "access this endpoint"
        super().__init__(f"rate limit exceeded for attempts to {of_what}. please try again later")
        self.limit_code = code

    def body(self) -> dict[str, object]:
        """Return it under the code of the limit that was passed."""
        return super().body() | {"error_code": self.limit_code}


class InvalidInput(PlaidError):
    """The values don't fit what Plaid holds."""

    type = "INVALID_INPUT"


class InvalidApiKeys(InvalidInput):
    """client_id or secret is missing."""

    code = "INVALID_API_KEYS"
    message = "invalid client_id or secret provided"


class InvalidAccessToken(InvalidInput):
    """The access token is malformed, of another environment, or unknown."""

    code = "INVALID_ACCESS_TOKEN"
    message = "could not find matching access token"


class InvalidPublicToken(InvalidInput):
    """The public token is malformed, expired, or unknown."""

    code = "INVALID_PUBLIC_TOKEN"
    message = "could not find matching public token"


class InvalidLinkToken(InvalidInput):
    """The link token is unknown or expired."""

    code = "INVALID_LINK_TOKEN"
    message = "invalid link_token provided"


class InvalidProduct(InvalidInput):
    """A product that can't be asked for."""

    code = "INVALID_PRODUCT"


class InvalidInstitution(InvalidInput):
    """No such institution."""

    code = "INVALID_INSTITUTION"
    message = "invalid institution_id provided"


class InvalidAccountId(InvalidInput):
    """The Item has no such account."""

    code = "INVALID_ACCOUNT_ID"
    message = "failed to find requested account ID for requested item"


class InvalidWebhookVerificationKeyId(InvalidInput):
    """No key of this world has that id."""

    code = "INVALID_WEBHOOK_VERIFICATION_KEY_ID"
    message = (
        "invalid key_id provided. note that key_ids are specific to Plaid environments, "
        "and verification requests must be made to the same environment that the webhook was "
        "sent from"
    )


class UserPermissionRevoked(InvalidInput):
    """The person took their permission back; an Item and a webhook show it as an ITEM_ERROR."""

    code = "USER_PERMISSION_REVOKED"
    message = (
        "the holder of this account has revoked their permission for your application to access it"
    )


class AdditionalConsentRequired(InvalidInput):
    """The person who linked the Item never consented to this product."""

    code = "ADDITIONAL_CONSENT_REQUIRED"

    def __init__(self, product: str) -> None:
        name = f"PRODUCT_{product.upper()}"
        super().__init__(f"client does not have user consent to access the {name} product")


class ItemError(PlaidError):
    """The Item is in a state that forbids this."""

    type = "ITEM_ERROR"


class ItemNotFound(ItemError):
    """The Item has been removed."""

    code = "ITEM_NOT_FOUND"
    message = (
        "The Item you requested cannot be found. This Item does not exist, has been previously "
        "removed via /item/remove, or has had access removed by the user."
    )


class ItemLoginRequired(ItemError):
    """The person must pass through Link's update mode."""

    code = "ITEM_LOGIN_REQUIRED"
    message = (
        "the login details of this item have changed (credentials, MFA, or required user action) "
        "and a user login is required to update this information. use Link's update mode to "
        "restore the item to a good state"
    )
    display = "This financial institution requires you to log in again."


class InvalidCredentials(ItemError):
    """Wrong username or password."""

    code = "INVALID_CREDENTIALS"
    message = "the provided credentials were not correct"
    display = "The provided credentials were not correct. Please try again."


class NoEligibleAccounts(ItemError):
    """No account of the Item is of a kind that the product is about."""

    accounts: ClassVar[str]
    message = ""

    def __init__(self) -> None:
        super().__init__(
            f"There are no valid {self.accounts} account(s) associated with this Item. "
            "See https://plaid.com/docs/api/#item-errors for more information."
        )


class NoAuthAccounts(NoEligibleAccounts):
    """None is a checking, savings or cash management account."""

    code = "NO_AUTH_ACCOUNTS"
    accounts = "checking or savings"


class NoInvestmentAccounts(NoEligibleAccounts):
    """None is an investment account."""

    code = "NO_INVESTMENT_ACCOUNTS"
    accounts = "investment"


class NoLiabilityAccounts(NoEligibleAccounts):
    """None is a credit card, student loan or mortgage."""

    code = "NO_LIABILITY_ACCOUNTS"
    accounts = "liability"


class NoAccounts(ItemError):
    """No account is left after filters and selection."""

    code = "NO_ACCOUNTS"
    message = "no valid accounts were found for this item"


class ProductNotReady(ItemError):
    """The first pull has not come in yet."""

    code = "PRODUCT_NOT_READY"
    message = (
        "the requested product is not yet ready. please provide a webhook or try the request "
        "again later"
    )


class ProductsNotSupported(ItemError):
    """The institution doesn't offer the product."""

    code = "PRODUCTS_NOT_SUPPORTED"

    def __init__(self, products: list[str]) -> None:
        names = ", ".join(products)
        super().__init__(f"the following products are not supported by this institution: {names}")


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


class SyncMutation(PlaidError):
    """The Item changed between two pages of one sync loop."""

    type = "TRANSACTIONS_ERROR"
    code = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
    message = (
        "Underlying transaction data changed since last page was fetched. "
        "Please restart pagination from last update."
    )

"""The request is well formed, but its values fit nothing: INVALID_INPUT (https://plaid.com/docs/errors/invalid-input/)."""

from platypus_bank.errors.base import PlaidError


class InvalidInput(PlaidError):
    """The values don't fit what Plaid holds."""

    type = "INVALID_INPUT"


class InvalidApiKeys(InvalidInput):
    """client_id or secret is missing, or the secret is not one of this client's."""

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


class UnauthorizedRouteAccess(InvalidInput):
    """An endpoint of Plaid's that the client was not given."""

    code = "UNAUTHORIZED_ROUTE_ACCESS"
    message = "you are not authorized to access this route in this api environment."


class UnauthorizedEnvironment(InvalidInput):
    """The client may not make Items here."""

    code = "UNAUTHORIZED_ENVIRONMENT"
    message = (
        "you are not authorized to create items in this api environment. Go to the Dashboard "
        "(https://dashboard.plaid.com) to see which environments you are authorized for."
    )


class DirectIntegrationNotEnabled(InvalidInput):
    """An Item without Link."""

    code = "DIRECT_INTEGRATION_NOT_ENABLED"
    message = (
        "your client ID is only authorized to use Plaid Link. "
        "head to the docs (https://plaid.com/docs) to get started."
    )


class InvalidLinkCustomization(InvalidInput):
    """A look of Link's, made in the Dashboard, that does not fit the request."""

    code = "INVALID_LINK_CUSTOMIZATION"
    message = "requested link customization is not set to update account selection"


class InvalidUserId(InvalidInput):
    """Another id than one of Plaid's users: they begin with `usr_`."""

    code = "INVALID_USER_ID"
    message = "user.user_id must be a non-empty string"


class InvalidUserToken(InvalidInput):
    """A token that is no user's."""

    code = "INVALID_USER_TOKEN"
    message = "could not find matching user token"


class InvalidProcessorToken(InvalidInput):
    """A token that no processor was given."""

    code = "INVALID_PROCESSOR_TOKEN"
    message = "could not find matching processor token"


class AdditionalConsentRequired(InvalidInput):
    """The person who linked the Item never consented to this product."""

    code = "ADDITIONAL_CONSENT_REQUIRED"

    def __init__(self, product: str) -> None:
        name = f"PRODUCT_{product.upper()}"
        super().__init__(f"client does not have user consent to access the {name} product")

"""Coming back from a bank's own page went wrong (https://plaid.com/docs/errors/oauth/)."""

from platypus_bank.errors.base import PlaidError


class OauthError(PlaidError):
    """The way back from the bank does not fit the way there."""

    type = "OAUTH_ERROR"


class IncorrectLinkToken(OauthError):
    """Link was opened again with another link token."""

    code = "INCORRECT_LINK_TOKEN"
    message = "link token does not match original link token"


class OauthStateIdAlreadyProcessed(OauthError):
    """The session that went to the bank is over."""

    code = "OAUTH_STATE_ID_ALREADY_PROCESSED"
    message = "the OAuth state has already been processed"


class OauthStateIdNotFound(OauthError):
    """No session went to the bank with this state."""

    code = "OAUTH_STATE_ID_NOT_FOUND"
    message = "the OAuth state could not be found"


class OauthDenied(PlaidError):
    """The bank sent the person back without permission; an error of Link's own."""

    type = ""
    code = "oauth-error"
    message = "the bank did not give its permission"
    display = "Your account was not connected. Please try again."

"""The bank does not let us in, or not far enough: ITEM_ERROR (https://plaid.com/docs/errors/item/)."""

from platypus_bank.errors.items import ItemError


class AccessNotGranted(ItemError):
    """The person kept something back at the bank."""

    code = "ACCESS_NOT_GRANTED"
    message = "access to this product was not granted for the account"
    display = "The user did not grant the necessary permissions for this product on their account."


class InstantMatchFailed(ItemError):
    """The bank or the country knows no Instant Match."""

    code = "INSTANT_MATCH_FAILED"
    message = (
        "Item cannot be verified through Instant Match. "
        "Ensure you are correctly enabling all auth features in Link."
    )


class InsufficientCredentials(ItemError):
    """The person left the bank's own page before its end."""

    code = "INSUFFICIENT_CREDENTIALS"
    message = "insufficient authorization was provided to complete the request"
    display = "INSUFFICIENT_CREDENTIALS"


class InvalidCredentials(ItemError):
    """Wrong username or password."""

    code = "INVALID_CREDENTIALS"
    message = "the provided credentials were not correct"
    display = "The provided credentials were not correct. Please try again."


class InvalidMfa(ItemError):
    """A wrong answer to the bank's second question."""

    code = "INVALID_MFA"
    message = "the provided MFA response(s) were not correct"
    display = "The provided MFA responses were not correct. Please try again."


class InvalidSendMethod(ItemError):
    """The bank can't send its code that way."""

    code = "INVALID_SEND_METHOD"
    message = "the provided MFA send_method was invalid"


class InvalidPhoneNumber(ItemError):
    """No number of the US or Canada."""

    code = "INVALID_PHONE_NUMBER"
    message = "the provided phone number was invalid"
    display = "The provided phone number was invalid. Please try again."


class InvalidOtp(ItemError):
    """A wrong one-time code."""

    code = "INVALID_OTP"
    message = "the provided OTP was invalid"
    display = "The provided OTP was invalid. Please try again."


class InvalidUpdatedUsername(ItemError):
    """Update mode was given another person's username."""

    code = "INVALID_UPDATED_USERNAME"
    message = (
        "the username provided to /item/credentials/update does not match the original username "
        "for the item"
    )


class ItemLocked(ItemError):
    """The bank has locked the person out."""

    code = "ITEM_LOCKED"
    message = (
        "the account is locked. prompt the user to visit the institution's site and unlock their "
        "account"
    )
    display = (
        "The given account has been locked by the financial institution. Please visit your "
        "financial institution's website to unlock your account."
    )


class ItemNotSupported(ItemError):
    """The bank doesn't let Plaid at accounts of this kind."""

    code = "ITEM_NOT_SUPPORTED"
    message = "this account is currently not supported"
    display = (
        "The given account is not currently supported for this financial institution. "
        "We apologize for the inconvenience."
    )


class ManualVerificationRequired(ItemError):
    """The person must prove their account in update mode, for Investments Move."""

    code = "MANUAL_VERIFICATION_REQUIRED"
    message = (
        "This Item could not be automatically verified. The user must manually verify their "
        "account through a separate Link session using the existing access token and with "
        "'investments_auth' initialized in the 'products' array."
    )


class MfaNotSupported(ItemError):
    """The bank asks for something that Plaid can't answer."""

    code = "MFA_NOT_SUPPORTED"
    message = (
        "this account requires a MFA type that we do not currently support for the institution"
    )
    display = (
        "The multi-factor security features enabled on this account are not currently supported "
        "for this financial institution. We apologize for the inconvenience."
    )


class PasswordResetRequired(ItemError):
    """The bank wants a new password first."""

    code = "PASSWORD_RESET_REQUIRED"
    message = "user must reset their password"
    display = "The user needs to reset their password for their account"


class UserInputTimeout(ItemError):
    """The person took too long over Link."""

    code = "USER_INPUT_TIMEOUT"
    message = "user must retry this operation"
    display = "The application timed out waiting for user input"


class UserSetupRequired(ItemError):
    """The person has something to settle at the bank first."""

    code = "USER_SETUP_REQUIRED"
    message = (
        "the account has not been fully set up. prompt the user to visit the issuing "
        "institution's site and finish the setup process"
    )
    display = (
        "The given account is not fully setup. Please visit your financial institution's website "
        "to setup your account."
    )

"""The bank is the trouble: INSTITUTION_ERROR (https://plaid.com/docs/errors/institution/)."""

from platypus_bank.errors.base import PlaidError

_SILENT = "this institution is not currently responding to this request. please try again soon"
_SORRY = (
    "This financial institution is not currently responding to requests. "
    "We apologize for the inconvenience."
)


class InstitutionError(PlaidError):
    """The bank is the trouble."""

    type = "INSTITUTION_ERROR"


class InstitutionDown(InstitutionError):
    """The bank is down, for maintenance or because something broke."""

    code = "INSTITUTION_DOWN"
    message, display = _SILENT, _SORRY


class InstitutionNotResponding(InstitutionError):
    """The bank fails some requests."""

    code = "INSTITUTION_NOT_RESPONDING"
    message, display = _SILENT, _SORRY


class InstitutionNotAvailable(InstitutionError):
    """Plaid's way to the bank is closed for a while."""

    code = "INSTITUTION_NOT_AVAILABLE"
    message, display = _SILENT, _SORRY


class InstitutionNoLongerSupported(InstitutionError):
    """Plaid has given the bank up."""

    code = "INSTITUTION_NO_LONGER_SUPPORTED"
    message = "this institution is no longer supported"
    display = (
        "This financial institution is no longer supported. We apologize for the inconvenience."
    )


class InstitutionNotEnabledInEnvironment(InstitutionError):
    """A bank of another environment."""

    code = "INSTITUTION_NOT_ENABLED_IN_ENVIRONMENT"
    message = "Institution not enabled in this environment"


class InstitutionRegistrationRequired(InstitutionError):
    """The bank wants to know the application first."""

    code = "INSTITUTION_REGISTRATION_REQUIRED"
    message = "not yet registered to create items for this institution"
    display = (
        "You must register your application with this institution before you can create items "
        "for it."
    )


class UnauthorizedInstitution(InstitutionError):
    """The client may not use the bank."""

    code = "UNAUTHORIZED_INSTITUTION"
    message = "not authorized to create items for this institution"
    display = "You are not authorized to create items for this institution at this time."


class UnsupportedResponse(InstitutionError):
    """The bank says what Plaid can't read."""

    code = "UNSUPPORTED_RESPONSE"
    message = "the data returned from the financial institution is not valid"
    display = "The data returned from the financial institution is not valid."

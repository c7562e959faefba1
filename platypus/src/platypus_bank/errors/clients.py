"""The client has had its share, or asks for what the bank has not got: limits, INVALID_RESULT.

https://plaid.com/docs/errors/rate-limit-exceeded/, https://plaid.com/docs/errors/invalid-result/
"""

from platypus_bank.errors.base import PlaidError


class LimitReached(PlaidError):
    """Enough, for now or for good."""

    type = "RATE_LIMIT_EXCEEDED"
    status = 429


class GenericRateLimit(LimitReached):
    """Too many calls, of no endpoint in particular."""

    code = "RATE_LIMIT"
    message = "rate limit exceeded for attempts to access this item. please try again later"


class InstitutionRateLimit(LimitReached):
    """Plaid has asked the bank too often."""

    code = "INSTITUTION_RATE_LIMIT"
    message = "The institution is currently receiving too many requests. Please try again later."


class CreditsExhausted(LimitReached):
    """What Limited Production gives for nothing is used up; waiting does not help."""

    code = "CREDITS_EXHAUSTED"
    message = (
        "Free usage exhausted, please request full Production access to continue using this product"
    )


class TrialConnectionLimit(LimitReached):
    """A trial's Items are used up; waiting does not help. The words are ours."""

    code = "TRIAL_CONNECTION_LIMIT"
    message = "the connections of your trial plan are used up"


class LastUpdatedDatetimeOutOfRange(PlaidError):
    """No balance is as new as `min_last_updated_datetime` wants it; of Capital One alone."""

    type = "INVALID_RESULT"
    code = "LAST_UPDATED_DATETIME_OUT_OF_RANGE"
    message = "requested datetime out of range, most recently updated balance 2021-01-01T00:00:00Z"

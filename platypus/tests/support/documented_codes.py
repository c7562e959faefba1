"""The error codes that Plaid documents for the endpoints served here, and those that can't be had.

Sources: https://plaid.com/docs/errors/ with its pages for each type, as of March 2026; for rate limits
https://plaid.com/docs/errors/rate-limit-exceeded/; descriptions in the OpenAPI file 2020-09-14.
"""

DOCUMENTED: dict[str, tuple[str, ...]] = {
    # https://plaid.com/docs/errors/api/
    "API_ERROR": ("INTERNAL_SERVER_ERROR", "PLANNED_MAINTENANCE"),
    # https://plaid.com/docs/errors/rate-limit-exceeded/
    "RATE_LIMIT_EXCEEDED": (
        "ACCOUNTS_LIMIT", "ACCOUNTS_BALANCE_GET_LIMIT", "AUTH_LIMIT", "BALANCE_LIMIT",
        "CREDITS_EXHAUSTED", "IDENTITY_LIMIT", "INSTITUTIONS_GET_LIMIT",
        "INSTITUTIONS_GET_BY_ID_LIMIT", "INSTITUTION_RATE_LIMIT", "INVESTMENT_HOLDINGS_GET_LIMIT",
        "INVESTMENT_TRANSACTIONS_LIMIT", "ITEM_GET_LIMIT", "RATE_LIMIT", "TRANSACTIONS_LIMIT",
        "TRANSACTIONS_REFRESH_LIMIT", "TRANSACTIONS_SYNC_LIMIT", "TRIAL_CONNECTION_LIMIT",
    ),
    # https://plaid.com/docs/errors/institution/
    "INSTITUTION_ERROR": (
        "INSTITUTION_DOWN", "INSTITUTION_NOT_RESPONDING", "INSTITUTION_NOT_AVAILABLE",
        "INSTITUTION_NO_LONGER_SUPPORTED", "INSTITUTION_NOT_ENABLED_IN_ENVIRONMENT",
        "INSTITUTION_REGISTRATION_REQUIRED", "UNAUTHORIZED_INSTITUTION", "UNSUPPORTED_RESPONSE",
    ),
    # https://plaid.com/docs/errors/item/
    "ITEM_ERROR": (
        "ACCESS_NOT_GRANTED", "INSTANT_MATCH_FAILED", "INSUFFICIENT_CREDENTIALS",
        "INVALID_CREDENTIALS", "INVALID_MFA", "INVALID_OTP", "INVALID_PHONE_NUMBER",
        "INVALID_SEND_METHOD", "INVALID_UPDATED_USERNAME", "ITEM_CONCURRENTLY_DELETED",
        "ITEM_LOCKED", "ITEM_LOGIN_REQUIRED", "ITEM_NOT_FOUND", "ITEM_NOT_SUPPORTED",
        "MANUAL_VERIFICATION_REQUIRED", "MFA_NOT_SUPPORTED", "NO_ACCOUNTS", "NO_AUTH_ACCOUNTS",
        "NO_INVESTMENT_ACCOUNTS", "NO_INVESTMENT_AUTH_ACCOUNTS", "NO_LIABILITY_ACCOUNTS",
        "PASSWORD_RESET_REQUIRED", "PRODUCT_NOT_ENABLED", "PRODUCT_NOT_READY",
        "PRODUCTS_NOT_SUPPORTED", "USER_INPUT_TIMEOUT", "USER_SETUP_REQUIRED",
    ),
    # https://plaid.com/docs/errors/transactions/
    "TRANSACTIONS_ERROR": ("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",),
    # https://plaid.com/docs/errors/invalid-input/
    "INVALID_INPUT": (
        "ADDITIONAL_CONSENT_REQUIRED", "DIRECT_INTEGRATION_NOT_ENABLED",
        "INCORRECT_DEPOSIT_VERIFICATION", "INVALID_ACCESS_TOKEN", "INVALID_ACCOUNT_ID",
        "INVALID_API_KEYS", "INVALID_INSTITUTION", "INVALID_LINK_CUSTOMIZATION",
        "INVALID_LINK_TOKEN", "INVALID_PROCESSOR_TOKEN", "INVALID_PRODUCT",
        "INVALID_PUBLIC_TOKEN", "INVALID_USER_ID", "INVALID_USER_TOKEN",
        "INVALID_WEBHOOK_VERIFICATION_KEY_ID", "PROFILE_AUTHENTICATION_FAILED",
        "TOO_MANY_VERIFICATION_ATTEMPTS", "UNAUTHORIZED_ENVIRONMENT", "UNAUTHORIZED_ROUTE_ACCESS",
        "USER_PERMISSION_REVOKED",
    ),
    # https://plaid.com/docs/errors/invalid-request/
    "INVALID_REQUEST": (
        "INCOMPATIBLE_API_VERSION", "INVALID_ACCOUNT_NUMBER", "INVALID_BODY",
        "INVALID_CONFIGURATION", "INVALID_FIELD", "INVALID_HEADERS", "MISSING_FIELDS",
        "NO_LONGER_AVAILABLE", "NOT_FOUND", "SANDBOX_ONLY", "UNKNOWN_FIELDS",
    ),
    # https://plaid.com/docs/errors/invalid-result/
    "INVALID_RESULT": ("LAST_UPDATED_DATETIME_OUT_OF_RANGE",),
    # https://plaid.com/docs/errors/sandbox/
    "SANDBOX_ERROR": ("SANDBOX_PRODUCT_NOT_ENABLED", "SANDBOX_WEBHOOK_INVALID"),
    # https://plaid.com/docs/errors/invalid-input/#invalid_user_identity_data
    "USER_ERROR": ("INVALID_USER_IDENTITY_DATA",),
}  # fmt: skip
TYPE_OF = {code: kind for kind, codes in DOCUMENTED.items() for code in codes}
NOT_TO_BE_HAD = {
    "INCORRECT_DEPOSIT_VERIFICATION": "typed into Link's page for micro-deposits, which is not here",
    "TOO_MANY_VERIFICATION_ATTEMPTS": "typed into Link's page for micro-deposits, which is not here",
    "INVALID_ACCOUNT_NUMBER": "typed into Link's page for micro-deposits, which is not here",
    "PROFILE_AUTHENTICATION_FAILED": "of Layer, which is not emulated",
    "INVALID_USER_IDENTITY_DATA": "of `/user/create`, which is not emulated",
}

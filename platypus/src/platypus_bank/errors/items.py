"""The Item is in a state that forbids it: ITEM_ERROR, TRANSACTIONS_ERROR (https://plaid.com/docs/errors/item/)."""

from typing import ClassVar

from platypus_bank.errors.base import PlaidError


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


class InvalidMfa(ItemError):
    """A wrong answer to what the bank asks after the password."""

    code = "INVALID_MFA"
    message = "the provided MFA response(s) were not correct"
    display = "The provided MFA responses were not correct. Please try again."


class NoEligibleAccounts(ItemError):
    """No account of the Item is of a kind that the product is about."""

    accounts: ClassVar[str]

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


class SyncMutation(PlaidError):
    """The Item changed between two pages of one sync loop."""

    type = "TRANSACTIONS_ERROR"
    code = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
    message = (
        "Underlying transaction data changed since last page was fetched. "
        "Please restart pagination from last update."
    )

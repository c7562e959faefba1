"""Product names, and which of them can be asked for (https://plaid.com/docs/api/link/)."""

from platypus_bank.errors import InvalidField, InvalidProduct

_KNOWN = frozenset(
    [
        "assets",
        "auth",
        "beacon",
        "identity",
        "identity_match",
        "investments",
        "investments_auth",
        "liabilities",
        "payment_initiation",
        "identity_verification",
        "transactions",
        "credit_details",
        "income",
        "income_verification",
        "standing_orders",
        "transfer",
        "employment",
        "signal",
        "statements",
        "processor_payments",
        "processor_identity",
        "profile",
        "cra_base_report",
        "cra_home_lending",
        "cra_qualify",
        "cra_income_insights",
        "cra_partner_insights",
        "cra_network_insights",
        "cra_cashflow_insights",
        "cra_monitoring",
        "cra_lend_score",
        "cra_plaid_credit_score",
        "layer",
        "pay_by_bank",
        "protect_linked_bank",
        "protect_transactions",
        "balance_plus",
        "transactions_refresh",
    ]
)
_WITHOUT_ASKING = frozenset(["balance", "recurring_transactions", "investments_refresh", "monitor"])


def check_products(products: list[str]) -> None:
    """Raise InvalidProduct for names that are none, and for `balance` and others never asked for.

    `balance`, `recurring_transactions`, `investments_refresh` and `monitor` come without asking.
    """
    wrong = sorted(set(products) - _KNOWN)
    if wrong:
        names = ", ".join(f'"{each}"' for each in wrong)
        raise InvalidProduct(
            f"client is not authorized to access the following products: [{names}]"
        )


def check_names(products: list[str]) -> None:
    """Raise InvalidField for what is no name of a product, also not of one that is never asked for."""
    wrong = sorted(set(products) - _KNOWN - _WITHOUT_ASKING)
    if wrong:
        raise InvalidField(f"products is invalid: no product is called {', '.join(wrong)}")

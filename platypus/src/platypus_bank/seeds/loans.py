"""Loans that are neither mortgages nor for students, and lines of credit.

LoanLiability and LineOfCreditLiability of plaid-python 46; our copy of the OpenAPI file is older and
lets them pass. Which subtypes they are of is ours.
"""

from decimal import Decimal
from typing import Any

from platypus_bank.exact_json import Number
from platypus_bank.seeds.debts import Liability

LOAN_SUBTYPES = frozenset(
    ["auto", "business", "commercial", "construction", "consumer", "home equity loan", "loan"]
)
LINE_SUBTYPES = frozenset(
    ["commercial line of credit", "home equity", "line of credit", "overdraft"]
)


def loan(owed: Number | None, told: dict[str, Any]) -> Liability:
    """Return a closed-end loan's LoanLiability: what is told, over nothing known."""
    fields: dict[str, Any] = dict.fromkeys(
        (
            "account_number", "origination_principal_amount", "origination_date",
            "loan_term_months", "maturity_date", "payment_count", "next_payment_amount",
            "next_payment_due_date", "last_payment_amount", "last_payment_date", "payoff_amount",
            "ytd_interest_paid",
        )
    )  # fmt: skip
    fields |= {
        "interest_rate": {"percentage": None, "type": "fixed"},
        "principal_balance": owed,
        "payment_frequency": "monthly",
        "compounding_period": "monthly",
    }
    return Liability(kind="loan", fields=_over(fields, told))


def line_of_credit(owed: Number | None, limit: Number | None, told: dict[str, Any]) -> Liability:
    """Return a line's LineOfCreditLiability: what is told, over what follows from its limit."""
    fields: dict[str, Any] = dict.fromkeys(
        (
            "minimum_payment_amount", "next_payment_amount", "next_payment_due_date",
            "last_payment_amount", "last_payment_date", "last_statement_balance",
            "last_statement_issue_date", "past_due_amount", "finance_charges",
            "draw_period_end_date",
        )
    )  # fmt: skip
    fields |= {
        "interest_rate": {"percentage": None, "type": "variable"},
        "credit_limit": limit,
        "available_credit": None if limit is None or owed is None else Decimal(limit) - owed,
        "principal_balance": owed,
        "aprs": [],
    }
    known = _over(fields, told)
    known["aprs"] = [_apr(each) for each in known["aprs"]]
    return Liability(kind="line_of_credit", fields=known)


def _over(fields: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    known = {name: told[name] for name in fields if name in told}
    if "interest_rate" in known:
        known["interest_rate"] = fields["interest_rate"] | known["interest_rate"]
    return fields | known


def _apr(told: dict[str, Any]) -> dict[str, Any]:
    blank = {"balance_subject_to_apr": None, "interest_charge_amount": None}
    return {**blank, **told}


def examples() -> dict[str, Liability]:
    """Return the debts of `user_good` by mask: all figures ours, and their days stand still."""
    return {
        "9003": loan(Decimal("23211.33"), _AUTO),
        "9004": line_of_credit(Decimal("13500.50"), 50_000, _HOME_EQUITY),
    }


_AUTO: dict[str, Any] = {
    "account_number": "5534210987",
    "interest_rate": {"percentage": Decimal("5.49"), "type": "fixed"},
    "origination_principal_amount": 32_000,
    "origination_date": "2018-03-15",
    "loan_term_months": 72,
    "maturity_date": "2024-03-15",
    "payment_count": 72,
    "next_payment_amount": Decimal("522.67"),
    "next_payment_due_date": "2020-06-15",
    "last_payment_amount": Decimal("522.67"),
    "last_payment_date": "2020-05-15",
    "payoff_amount": Decimal("23297.1"),
    "ytd_interest_paid": Decimal("541.08"),
}
_HOME_EQUITY: dict[str, Any] = {
    "interest_rate": {"percentage": Decimal("7.25"), "type": "variable"},
    "minimum_payment_amount": Decimal("81.57"),
    "next_payment_amount": Decimal("81.57"),
    "next_payment_due_date": "2020-06-01",
    "last_payment_amount": Decimal("80.02"),
    "last_payment_date": "2020-05-01",
    "last_statement_balance": Decimal("13500.50"),
    "last_statement_issue_date": "2020-05-10",
    "past_due_amount": 0,
    "finance_charges": Decimal("81.57"),
    "draw_period_end_date": "2029-11-01",
    "aprs": [{"apr_type": "purchase_apr", "apr_percentage": Decimal("7.25")}],
}

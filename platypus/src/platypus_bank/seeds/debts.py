"""What is owed, and on which terms (https://plaid.com/docs/api/products/liabilities/)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from platypus_bank.exact_json import Number

Kind = Literal["credit", "mortgage", "student", "loan", "line_of_credit"]
APR_TYPES = ("balance_transfer_apr", "cash_apr", "purchase_apr", "special")
_GRACE = timedelta(days=25)  # from a statement to the day its payment is due


class Liability(Struct, kw_only=True):
    """A debt: which of Plaid's lists it stands in, and what is told of it but its account."""

    kind: Kind
    fields: dict[str, Any]


def card(
    aprs: dict[str, Number | None], owed: Number | None, today: date, **told: object
) -> Liability:
    """Return a credit card's CreditCardLiability; `aprs` by type, and `told` over what is made up.

    Its statements come on the first of each month.
    """
    statement = today.replace(day=1)
    fields = {
        "aprs": [_apr(each, aprs[each]) for each in APR_TYPES if aprs.get(each) is not None],
        "is_overdue": False,
        "last_payment_amount": None,
        "last_payment_date": (statement - timedelta(days=5)).isoformat(),
        "last_statement_issue_date": statement.isoformat(),
        "last_statement_balance": owed,
        "minimum_payment_amount": None,
        "next_payment_due_date": (statement + _GRACE).isoformat(),
    }
    return Liability(kind="credit", fields=fields | told)


def _apr(kind: str, percentage: Number | None) -> dict[str, object]:
    return {
        "apr_type": kind,
        "apr_percentage": percentage,
        "balance_subject_to_apr": None,
        "interest_charge_amount": None,
    }


def student_loan(**told: object) -> Liability:
    """Return a student loan's StudentLoan: what is told, over nothing known."""
    fields: dict[str, Any] = dict.fromkeys(_STUDENT_KEYS)
    fields |= {
        "interest_rate_percentage": 0,
        "is_overdue": False,
        "loan_status": {"end_date": None, "type": "repayment"},
        "pslf_status": {
            "estimated_eligibility_date": None,
            "payments_made": None,
            "payments_remaining": None,
        },
        "repayment_plan": {"description": "Standard Repayment", "type": "standard"},
        "servicer_address": dict.fromkeys(("city", "region", "street", "postal_code", "country")),
    }
    return Liability(kind="student", fields=fields | told)


_STUDENT_KEYS = (
    "account_number", "disbursement_dates", "expected_payoff_date", "guarantor",
    "interest_rate_percentage", "is_overdue", "last_payment_amount", "last_payment_date",
    "last_statement_balance", "last_statement_issue_date", "loan_name", "loan_status",
    "minimum_payment_amount", "next_payment_due_date", "origination_date",
    "origination_principal_amount", "outstanding_interest_amount", "payment_reference_number",
    "pslf_status", "repayment_plan", "sequence_number", "servicer_address", "ytd_interest_paid",
    "ytd_principal_paid",
)  # fmt: skip


def examples() -> dict[str, Liability]:
    """Return the debts of `user_good` by mask: the example of /liabilities/get, whose days stand still."""
    return {
        "3333": Liability(kind="credit", fields=_CARD),
        "8888": Liability(kind="mortgage", fields=_MORTGAGE),
        "7777": student_loan(**_STUDENT),
    }


def _charged(kind: str, percentage: str, balance: str, charge: str) -> dict[str, object]:
    return {
        "apr_type": kind,
        "apr_percentage": Decimal(percentage),
        "balance_subject_to_apr": Decimal(balance),
        "interest_charge_amount": Decimal(charge),
    }


_CARD: dict[str, Any] = {
    "aprs": [
        _charged("balance_transfer_apr", "15.24", "1562.32", "130.22"),
        _charged("cash_apr", "27.95", "56.22", "14.81"),
        _charged("purchase_apr", "12.5", "157.01", "25.66"),
        _charged("special", "0", "1000", "0"),
    ],
    "is_overdue": False,
    "last_payment_amount": Decimal("168.25"),
    "last_payment_date": "2019-05-22",
    "last_statement_issue_date": "2019-05-28",
    "last_statement_balance": Decimal("1708.77"),
    "minimum_payment_amount": 20,
    "next_payment_due_date": "2020-05-28",
}
_MORTGAGE: dict[str, Any] = {
    "account_number": "3120194154",
    "current_late_fee": 25,
    "escrow_balance": Decimal("3141.54"),
    "has_pmi": True,
    "has_prepayment_penalty": True,
    "interest_rate": {"percentage": Decimal("3.99"), "type": "fixed"},
    "last_payment_amount": Decimal("3141.54"),
    "last_payment_date": "2019-08-01",
    "loan_term": "30 year",
    "loan_type_description": "conventional",
    "maturity_date": "2045-07-31",
    "next_monthly_payment": Decimal("3141.54"),
    "next_payment_due_date": "2019-11-15",
    "origination_date": "2015-08-01",
    "origination_principal_amount": 425000,
    "past_due_amount": 2304,
    "property_address": {
        "city": "Malakoff",
        "country": "US",
        "postal_code": "14236",
        "region": "NY",
        "street": "2992 Cameron Road",
    },
    "ytd_interest_paid": Decimal("12300.4"),
    "ytd_principal_paid": Decimal("12340.5"),
}
_STUDENT: dict[str, Any] = {
    "account_number": "4277075694",
    "disbursement_dates": ["2002-08-28"],
    "expected_payoff_date": "2032-07-28",
    "guarantor": "DEPT OF ED",
    "interest_rate_percentage": Decimal("5.25"),
    "last_payment_amount": Decimal("138.05"),
    "last_payment_date": "2019-04-22",
    "last_statement_issue_date": "2019-04-28",
    "last_statement_balance": Decimal("1708.77"),
    "loan_name": "Consolidation",
    "loan_status": {"end_date": "2032-07-28", "type": "repayment"},
    "minimum_payment_amount": 25,
    "next_payment_due_date": "2019-05-28",
    "origination_date": "2002-08-28",
    "origination_principal_amount": 25000,
    "outstanding_interest_amount": Decimal("6227.36"),
    "payment_reference_number": "4277075694",
    "sequence_number": "1",
    "servicer_address": {
        "city": "San Matias",
        "country": "US",
        "postal_code": "99415",
        "region": "CA",
        "street": "123 Relaxation Road",
    },
    "ytd_interest_paid": Decimal("280.55"),
    "ytd_principal_paid": Decimal("271.65"),
}

"""What a person owes, and what the bank tells of it on a day."""

from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from platypus_bank.living.bank_days import business_day, falls_due
from platypus_bank.living.person import Person
from platypus_bank.money import money
from platypus_bank.seeds import debts as blank
from platypus_bank.seeds.debts import Liability

STUDENT_DAY, CARD_DAY = 22, 25
CARD_LIMIT = 1_200_000
_BEGAN = date(2019, 1, 1)
_MORTGAGE_PERCENT, _STUDENT_PERCENT = 4, 5
_CARD_PERCENT = Decimal("19.99")
_MINIMUM = 3500


class Paid(NamedTuple):
    """A loan after some payments: what is owed, and what this year's payments went to; cents."""

    owed: int
    interest_this_year: int
    principal_this_year: int


def student_payment(who: Person) -> int:
    """Return what the student loan takes each month."""
    return who.monthly * 4 // 100 // 100 * 100


def mortgage(who: Person, today: date) -> Paid:
    """Return the state of a home owner's mortgage."""
    return _amortised(who.home_cost * 190, _MORTGAGE_PERCENT, who.home_cost, _payments(today, 1))


def student(who: Person, today: date) -> Paid:
    """Return the state of a student loan."""
    cents = student_payment(who)
    return _amortised(cents * 150, _STUDENT_PERCENT, cents, _payments(today, STUDENT_DAY))


class _Payments(NamedTuple):
    before_this_year: int
    in_all: int


def _payments(today: date, day_of_month: int) -> _Payments:
    """Return how many monthly payments have been booked since loans began, in a January."""
    earlier = (today.year - _BEGAN.year) * 12
    days = (today.replace(day=1) + timedelta(days=each) for each in range(today.day))
    is_paid = any(falls_due(each, day_of_month) for each in days)
    return _Payments(earlier, earlier + today.month - 1 + is_paid)


@lru_cache(maxsize=4096)
def _amortised(owed: int, percent: int, payment: int, payments: _Payments) -> Paid:
    interest_this_year = principal_this_year = 0
    for number in range(payments.in_all):
        interest = owed * percent // 1200
        principal = min(payment - interest, owed)
        owed -= principal
        if number >= payments.before_this_year:
            interest_this_year += interest
            principal_this_year += principal
    return Paid(owed, interest_this_year, principal_this_year)


def mortgage_liability(who: Person, today: date) -> Liability:
    """Return MortgageLiability of the OpenAPI file."""
    state, paid_on = mortgage(who, today), _last_booked(today, 1)
    fields: dict[str, Any] = {
        "account_number": "3120194154",
        "current_late_fee": 0,
        "escrow_balance": money(who.home_cost * 2),
        "has_pmi": False,
        "has_prepayment_penalty": False,
        "interest_rate": {"percentage": _MORTGAGE_PERCENT, "type": "fixed"},
        "last_payment_amount": money(who.home_cost),
        "last_payment_date": paid_on.isoformat(),
        "loan_term": "30 year",
        "loan_type_description": "conventional",
        "maturity_date": _BEGAN.replace(year=_BEGAN.year + 30).isoformat(),
        "next_monthly_payment": money(who.home_cost),
        "next_payment_due_date": _next_first(paid_on).isoformat(),
        "origination_date": _BEGAN.isoformat(),
        "origination_principal_amount": money(who.home_cost * 190),
        "past_due_amount": 0,
        "property_address": who.owner()["addresses"][0]["data"],
        "ytd_interest_paid": money(state.interest_this_year),
        "ytd_principal_paid": money(state.principal_this_year),
    }
    return Liability(kind="mortgage", fields=fields)


def student_liability(who: Person, today: date) -> Liability:
    """Return StudentLoan of the OpenAPI file."""
    state, paid_on = student(who, today), _last_booked(today, STUDENT_DAY)
    return blank.student_loan(
        account_number="4277075694",
        disbursement_dates=[_BEGAN.isoformat()],
        guarantor="DEPT OF ED",
        interest_rate_percentage=_STUDENT_PERCENT,
        last_payment_amount=money(student_payment(who)),
        last_payment_date=paid_on.isoformat(),
        last_statement_issue_date=paid_on.replace(day=1).isoformat(),
        last_statement_balance=money(state.owed),
        loan_name="Consolidation",
        minimum_payment_amount=money(student_payment(who)),
        next_payment_due_date=_next_first(paid_on).replace(day=STUDENT_DAY).isoformat(),
        origination_date=_BEGAN.isoformat(),
        origination_principal_amount=money(student_payment(who) * 150),
        outstanding_interest_amount=money(state.owed * _STUDENT_PERCENT // 1200),
        ytd_interest_paid=money(state.interest_this_year),
        ytd_principal_paid=money(state.principal_this_year),
    )


def card_paid_on(today: date) -> date:
    """Return the day on which the card was last paid."""
    return _last_booked(today, CARD_DAY)


def card_liability(owed: int, paid: int, today: date) -> Liability:
    """Return CreditCardLiability of the OpenAPI file.

    `owed` is what the last statement says, `paid` what the last payment was; cents.
    """
    statement, paid_on = today.replace(day=1), card_paid_on(today)
    due = _booked_on(statement)
    return blank.card(
        {"purchase_apr": _CARD_PERCENT},
        money(owed),
        today,
        last_statement_issue_date=statement.isoformat(),
        last_payment_amount=money(paid),
        last_payment_date=paid_on.isoformat(),
        minimum_payment_amount=money(min(owed, _MINIMUM)),
        next_payment_due_date=(due if paid_on < due else _booked_on(_next_first(due))).isoformat(),
    )


def _booked_on(first: date) -> date:
    """Return the day on which a month's payment of the card is booked."""
    return business_day(first.replace(day=CARD_DAY))


def _last_booked(today: date, day_of_month: int) -> date:
    day = today
    while not falls_due(day, day_of_month):
        day -= timedelta(days=1)
    return day


def _next_first(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

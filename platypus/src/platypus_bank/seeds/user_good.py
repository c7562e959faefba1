"""user_good: the Sandbox's default person, 14 accounts and two years of monthly money."""

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from platypus_bank.seeds import debts, loans, user_good_investments
from platypus_bank.seeds.blueprint import Account, Transaction, category

HISTORY_DAYS = 730
MONTH_DAYS = 30


def _account(  # noqa: PLR0913, PLR0917 - one row of the table below
    mask: str,
    name: str,
    official_name: str | None,
    kind: str,
    current: str,
    available: str | None = None,
    limit: str | None = None,
) -> Account:
    type_, subtype = kind.split("/")
    return Account(
        name=f"Plaid {name}",
        official_name=official_name,
        mask=mask,
        type=type_,
        subtype=subtype,
        current=Decimal(current),
        available=None if available is None else Decimal(available),
        limit=None if limit is None else Decimal(limit),
    )


def _accounts() -> list[Account]:
    return [
        _account("0000", "Checking", "Plaid Gold Standard 0% Interest Checking",
                 "depository/checking", "110", "100"),
        _account("1111", "Saving", "Plaid Silver Standard 0.1% Interest Saving",
                 "depository/savings", "210", "200"),
        _account("2222", "CD", "Plaid Bronze Standard 0.2% Interest CD", "depository/cd", "1000"),
        _account("3333", "Credit Card", "Plaid Diamond 12.5% APR Interest Credit Card",
                 "credit/credit card", "410", limit="2000"),
        _account("4444", "Money Market", "Plaid Platinum Standard 1.85% Interest Money Market",
                 "depository/money market", "43200", "43200"),
        _account("5555", "IRA", None, "investment/ira", "320.76"),
        _account("6666", "401k", None, "investment/401k", "23631.9805"),
        _account("7777", "Student Loan", None, "loan/student", "65262"),
        _account("8888", "Mortgage", None, "loan/mortgage", "56302.06"),
        _account("9001", "HSA", "Plaid Cares Health Savings Account", "depository/hsa",
                 "6009", "6009"),
        _account("9002", "Cash Management", "Plaid Growth Cash Management",
                 "depository/cash management", "12060", "12060"),
        _account("9999", "Business Credit Card", "Plaid Platinum Small Business Credit Card",
                 "credit/credit card", "5020", "4980", "10000"),
        _account("9003", "Auto Loan", None, "loan/auto", "23211.33"),
        _account("9004", "Home Equity Line of Credit", None, "loan/home equity", "13500.50"),
    ]  # fmt: skip


class _Monthly(NamedTuple):
    first_days_ago: int
    mask: str
    amount: str
    description: str
    merchant: str | None
    category: str


# Four of the sixteen fall on the first ten days back, so that 730 days hold the 388 rows
# that public dumps of the Sandbox show, and the first 30 days hold 16.
_MONTHLY = [
    _Monthly(2, "0000", "5.40", "Uber 063015 SF**POOL**", "Uber",
             "TRANSPORTATION TAXIS_AND_RIDE_SHARES"),
    _Monthly(4, "0000", "-500", "United Airlines", "United Airlines", "TRAVEL FLIGHTS"),
    _Monthly(6, "0000", "12", "McDonald's", "McDonald's", "FOOD_AND_DRINK FAST_FOOD"),
    _Monthly(6, "0000", "4.33", "Starbucks", "Starbucks", "FOOD_AND_DRINK COFFEE"),
    _Monthly(10, "0000", "89.40", "SparkFun", "SparkFun",
             "GENERAL_MERCHANDISE ELECTRONICS"),
    _Monthly(11, "1111", "-4.22", "INTRST PYMNT", None, "INCOME INTEREST_EARNED"),
    _Monthly(12, "3333", "500", "United Airlines", "United Airlines", "TRAVEL FLIGHTS"),
    _Monthly(14, "3333", "78.50", "Touchstone Climbing", "Touchstone Climbing",
             "PERSONAL_CARE GYMS_AND_FITNESS_CENTERS"),
    _Monthly(15, "2222", "1000", "CD DEPOSIT .INITIAL.", None,
             "TRANSFER_IN INVESTMENT_AND_RETIREMENT_FUNDS"),
    _Monthly(15, "4444", "5850.00", "ACH Electronic CreditGUSTO PAY 123456", "Gusto",
             "INCOME WAGES"),
    _Monthly(16, "1111", "25", "CREDIT CARD 3333 PAYMENT *//", None,
             "LOAN_PAYMENTS CREDIT_CARD_PAYMENT"),
    _Monthly(19, "0000", "6.33", "Uber 072515 SF**POOL**", "Uber",
             "TRANSPORTATION TAXIS_AND_RIDE_SHARES"),
    _Monthly(22, "3333", "500", "Tectra Inc", "Tectra Inc", "GENERAL_MERCHANDISE OFFICE_SUPPLIES"),
    _Monthly(23, "3333", "2078.50", "AUTOMATIC PAYMENT - THANK", None,
             "LOAN_PAYMENTS CREDIT_CARD_PAYMENT"),
    _Monthly(24, "3333", "500", "KFC", "KFC", "FOOD_AND_DRINK FAST_FOOD"),
    _Monthly(26, "3333", "500", "Madison Bicycle Shop", "Madison Bicycle Shop",
             "GENERAL_MERCHANDISE SPORTING_GOODS"),
]  # fmt: skip


def accounts(today: date) -> list[Account]:
    """Return the person's accounts as of `today`, newest transactions first."""
    person = _accounts()
    by_mask = {account.mask: account for account in person}
    for row in _MONTHLY:
        history = by_mask[row.mask].transactions
        for days_ago in range(row.first_days_ago, HISTORY_DAYS, MONTH_DAYS):
            history.append(_transaction(row, today - timedelta(days=days_ago)))
    for mask, liability in (debts.examples() | loans.examples()).items():
        by_mask[mask].liability = liability
    for mask, portfolio in user_good_investments.portfolios(today).items():
        by_mask[mask].portfolio = portfolio
    return person


def _transaction(row: _Monthly, day: date) -> Transaction:
    primary, detail = row.category.split(" ")
    return Transaction(
        transacted=day - timedelta(days=1),
        posted=day,
        amount=Decimal(row.amount),
        description=row.description,
        currency="USD",
        fields={"merchant_name": row.merchant, **category(primary, detail, "VERY_HIGH")},
    )

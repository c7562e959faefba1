"""inflow_model of a custom user: income, or payments of a debt, once a month.

https://plaid.com/docs/sandbox/user-custom/ and InflowModel of the OpenAPI file.
"""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, get_args

from msgspec import Struct

from platypus_bank.errors import InvalidField
from platypus_bank.exact_json import Number

Kind = Literal["monthly-income", "monthly-balance-payment", "monthly-interest-only-payment"]
DAY_MAX = 28  # a day that every month has
LAST_DAY = 0
_DEBTS = {"credit", "loan"}
_CENT = Decimal("0.01")


class InflowModel(Struct, kw_only=True):
    """What happens each month, and on which day of it (LAST_DAY: the last one).

    A payment is reckoned from the balance on the statement day before it, and interest by `apr`, a
    percentage a year.
    """

    kind: Kind
    name: str
    payment_day: int
    statement_day: int = LAST_DAY
    income: Decimal = Decimal(0)
    apr: Decimal = Decimal(0)

    def amount(self, balance: Decimal) -> Decimal:
        """Return how much comes in, for what is owed."""
        if self.kind == "monthly-income":
            return self.income
        if self.kind == "monthly-balance-payment":
            return balance
        return (balance * self.apr / 1200).quantize(_CENT, ROUND_HALF_UP)


def falls_on(day_of_month: int, day: date) -> bool:
    """Tell whether a day is the given one of its month."""
    return day.day == day_of_month or (
        day_of_month == LAST_DAY and (day + timedelta(days=1)).day == 1
    )


class InflowOverride(Struct):
    """What a custom user's file says; null is as left out."""

    type: str | None = None
    income_amount: Number | None = None
    payment_day_of_month: Any = None
    transaction_name: str | None = None
    statement_day_of_month: Any = None

    def model(self, account_type: str, debt: dict[str, Any]) -> InflowModel | None:
        """Return it, for an account of a type and with what is told of its debt; None for `none`.

        Raises InvalidField where something is missing, or makes no sense.
        """
        kind = self.type or "none"
        if kind == "none":
            return None
        if kind not in get_args(Kind):
            raise InvalidField(f"inflow_model.type {kind} is not known")
        is_income = kind == "monthly-income"
        if not is_income and account_type not in _DEBTS:
            raise InvalidField(f"inflow_model.type {kind} is for credit and loan accounts")
        if not self.transaction_name or (is_income and self.income_amount is None):
            raise InvalidField("inflow_model needs a transaction_name, and income an income_amount")
        statement = None if is_income else _day("statement_day_of_month", self)
        return InflowModel(
            kind=kind,  # type: ignore[arg-type] # checked above
            name=self.transaction_name,
            payment_day=_day("payment_day_of_month", self),
            statement_day=LAST_DAY if statement is None else statement,
            income=Decimal(self.income_amount or 0),
            apr=_apr(debt),
        )


def _day(name: str, told: InflowOverride) -> int:
    given = str(getattr(told, name))
    if given == "last":
        return LAST_DAY
    if not given.isdigit() or not 1 <= int(given) <= DAY_MAX:
        raise InvalidField(f"inflow_model.{name} must be between 1 and {DAY_MAX}, or `last`")
    return int(given)


def _apr(debt: dict[str, Any]) -> Decimal:
    # "For simplicity, this is the only interest rate used to calculate interest charges."
    told = debt.get("purchase_apr") or debt.get("nominal_apr")
    return Decimal(told or (debt.get("interest_rate") or {}).get("percentage") or 0)

"""user_custom: a person described by JSON in the password field.

https://plaid.com/docs/sandbox/user-custom/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from platypus_bank.errors import InvalidField
from platypus_bank.exact_json import Number, decode
from platypus_bank.forced_error import ForcedError
from platypus_bank.seeds import custom_facets, rolling
from platypus_bank.seeds.blueprint import Account, Transaction
from platypus_bank.seeds.custom_facets import Debt, HoldingOverride, TradeOverride
from platypus_bank.seeds.inflows import InflowOverride

DEFAULT_BALANCE = 1000  # the documents name no default; ours


class _Meta(Struct):
    name: str | None = None
    official_name: str | None = None
    limit: Number | None = None
    mask: Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9]{2,4}$")] | None = None


class _Transaction(Struct):
    date_transacted: date | None = None
    date_posted: date | None = None
    amount: Number | None = None
    description: str | None = None
    currency: str | None = None


class _Account(Struct):
    type: str | None = None
    subtype: str | None = None
    starting_balance: Number | None = None
    force_available_balance: Number | None = None
    has_null_available_balance: bool | None = None
    currency: str | None = None
    meta: _Meta | None = None
    numbers: dict[str, str | None] | None = None
    transactions: list[_Transaction] | None = None
    holdings: list[HoldingOverride] | None = None
    investment_transactions: list[TradeOverride] | None = None
    identity: dict[str, list[Any] | None] | None = None
    liability: dict[str, Any] | None = None
    inflow_model: InflowOverride | None = None


class _Person(Struct):
    override_accounts: list[_Account] | None = field(default_factory=list)
    roll_dates_forward: bool | None = None
    recaptcha: Literal["good", "bad"] | None = None
    force_error: str | None = None


def accounts(text: str, today: date) -> list[Account]:
    """Return the accounts that the JSON names as of `today`, its numbers digit by digit.

    Raises InvalidField when the JSON is not one of Plaid's custom users, ForcedError when it
    asks for an error.
    """
    with _sentences():
        given = enumerate(_person(text, today).override_accounts or ())
        return [_account(each, place, today) for place, each in given]


def check(text: str) -> None:
    """Raise what the JSON asks for, of whomever it is the password; see `accounts`."""
    with _sentences():
        _person(text)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, ValueError, OverflowError) as problem:
        raise InvalidField(f"override_password is not a custom user: {problem}") from problem


def _person(text: str, today: date | None = None) -> _Person:
    """Return whom the JSON describes, with dates rolled forward to today if it wants them so."""
    told = decode(text)
    person = msgspec.convert(told, _Person)
    if person.recaptcha == "bad":
        raise ForcedError("RECAPTCHA_BAD")
    if person.force_error:
        raise ForcedError(person.force_error)
    if not person.roll_dates_forward or today is None:
        return person
    moved = rolling.rolled(told.get("override_accounts"), today)
    return msgspec.convert({**told, "override_accounts": moved}, _Person)


def _account(given: _Account, place: int, today: date) -> Account:
    type_, meta = given.type or "depository", given.meta or _Meta()
    subtype = given.subtype or ("checking" if type_ == "depository" else None)
    current = DEFAULT_BALANCE if given.starting_balance is None else given.starting_balance
    currency = given.currency or "USD"
    inflow = given.inflow_model or InflowOverride()
    return Account(
        name=meta.name or f"Plaid {(subtype or type_).title()}",
        official_name=meta.official_name,
        mask=f"{place:04}" if meta.mask is None else meta.mask,
        type=type_,
        subtype=subtype,
        current=current,
        available=_available(given, type_, current),
        limit=meta.limit,
        currency=currency,
        transactions=_transactions(given, currency),
        owners=[custom_facets.owner(given.identity)],
        numbers=given.numbers or {},
        liability=custom_facets.liability(
            given.liability, Debt(subtype, current, meta.limit), today
        ),
        portfolio=custom_facets.portfolio(given.holdings, given.investment_transactions),
        inflow=inflow.model(type_, given.liability or {}),
    )


def _available(given: _Account, type_: str, current: Number) -> Number | None:
    if given.force_available_balance is not None:
        if given.has_null_available_balance:
            raise InvalidField("force_available_balance contradicts has_null_available_balance")
        return given.force_available_balance
    if given.has_null_available_balance:
        return None
    limit = given.meta.limit if given.meta else None
    if type_ == "credit" and limit is not None:
        return Decimal(limit) - current
    return current if type_ == "depository" else None


def _transactions(given: _Account, currency: str) -> list[Transaction]:
    return [
        _transaction(each, currency)
        for each in given.transactions or ()
        if each.amount is not None and (each.date_posted or each.date_transacted)
    ]


def _transaction(given: _Transaction, currency: str) -> Transaction:
    known: dict[str, Any] = {
        "transacted": given.date_transacted or given.date_posted,
        "posted": given.date_posted or given.date_transacted,
    }
    return Transaction(
        **known,
        amount=given.amount if given.amount is not None else 0,
        description=given.description or "",
        currency=given.currency or currency,
    )

"""What a custom user's account says beside balances and transactions: owners, debts, investments.

https://plaid.com/docs/sandbox/user-custom/ and OverrideAccounts of the OpenAPI file. Whatever is left
out, or null, is as with anybody in the Sandbox; Plaid does not say how, so the rest is ours.
"""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct

from platypus_bank.errors import InvalidField
from platypus_bank.exact_json import Number
from platypus_bank.seeds import debts
from platypus_bank.seeds.debts import Liability
from platypus_bank.seeds.loans import LINE_SUBTYPES, LOAN_SUBTYPES, line_of_credit, loan
from platypus_bank.seeds.owners import default_owner
from platypus_bank.seeds.portfolio import Holding, Portfolio, Security, Trade, option_contract

_KINDS = {
    "credit card": "credit",
    "paypal": "credit",
    "student": "student",
    **dict.fromkeys(LOAN_SUBTYPES, "loan"),
    **dict.fromkeys(LINE_SUBTYPES, "line_of_credit"),
}
_APR_FIELDS = {"special": "special_apr"}  # the others are called as in CreditCardLiability
_CREDIT_KEYS = (
    "last_payment_amount", "last_statement_balance", "minimum_payment_amount", "is_overdue",
)  # fmt: skip
_STUDENT_KEYS = (
    "minimum_payment_amount", "is_overdue", "origination_date", "expected_payoff_date", "guarantor",
    "loan_name", "loan_status", "payment_reference_number", "pslf_status", "sequence_number",
)  # fmt: skip
_OBJECTS = {"interest_rate", "loan_status", "pslf_status", "repayment_model", "servicer_address"}
_SUBTYPES = {"cash": "deposit", "fee": "miscellaneous fee", "cancel": "buy", "transfer": "transfer"}


class SecurityOverride(Struct):
    """What names a security."""

    isin: str | None = None
    cusip: str | None = None
    sedol: str | None = None
    name: str | None = None
    ticker_symbol: str | None = None
    currency: str | None = None

    def security(self) -> Security:
        """Return it: an option where the ticker spells one, else an equity."""
        contract = option_contract(self.ticker_symbol or "")
        return Security(
            name=self.name or self.ticker_symbol,
            ticker_symbol=self.ticker_symbol,
            type="equity" if contract is None else "derivative",
            subtype="common stock" if contract is None else "option",
            cusip=self.cusip,
            isin=self.isin,
            sedol=self.sedol,
            currency=self.currency or "USD",
            option_contract=contract,
        )


class HoldingOverride(Struct):
    """A position."""

    security: SecurityOverride
    quantity: Number
    institution_price: Number
    institution_price_as_of: date | None = None
    cost_basis: Number | None = None
    currency: str | None = None

    def holding(self) -> Holding:
        """Return the position, worth its price times its quantity."""
        return Holding(
            security=self.security.security(),
            quantity=self.quantity,
            price=self.institution_price,
            priced_on=self.institution_price_as_of,
            cost_basis=self.cost_basis,
            currency=self.currency or "USD",
        )


class TradeOverride(Struct):
    """Something that was done."""

    date: date
    name: str
    quantity: Number
    price: Number
    type: str
    fees: Number | None = None
    currency: str | None = None
    security: SecurityOverride | None = None

    def trade(self) -> Trade:
        """Return the trade; its amount is price times quantity, and the fees."""
        amount = Decimal(self.price) * Decimal(self.quantity) + Decimal(self.fees or 0)
        return Trade(
            day=self.date,
            name=self.name,
            type=self.type,
            subtype=_SUBTYPES.get(self.type, self.type),
            quantity=self.quantity,
            price=self.price,
            amount=amount,
            fees=self.fees,
            security=self.security.security() if self.security else None,
            currency=self.currency or "USD",
        )


def portfolio(
    holdings: list[HoldingOverride] | None, trades: list[TradeOverride] | None
) -> Portfolio | None:
    """Return what the account holds and did; None where the file does not say."""
    if holdings is None and trades is None:
        return None
    return Portfolio(
        holdings=[each.holding() for each in holdings or ()],
        trades=[each.trade() for each in trades or ()],
    )


class Debt(NamedTuple):
    """What a debt is reckoned from: the account's subtype, its balance and its limit."""

    subtype: str | None
    owed: Number
    limit: Number | None


def liability(told: dict[str, Any] | None, debt: Debt, today: date) -> Liability | None:
    """Return the debt that is told of, or the one that an account of this subtype is; else None."""
    known = {name: value for name, value in (told or {}).items() if value is not None}
    _check_shapes(known)
    kind = known.get("type") or _KINDS.get(debt.subtype or "")
    if kind == "loan":
        return loan(debt.owed, known)
    if kind == "line_of_credit":
        return line_of_credit(debt.owed, debt.limit, known)
    if kind not in {"credit", "student"}:
        return None
    if kind == "credit":
        aprs = {each: known.get(_APR_FIELDS.get(each, each)) for each in debts.APR_TYPES}
        told_of_it = {name: known[name] for name in _CREDIT_KEYS if name in known}
        return debts.card(aprs, debt.owed, today, **told_of_it)
    return debts.student_loan(**_student(known))


def _check_shapes(known: dict[str, Any]) -> None:
    wrong = [name for name in _OBJECTS & known.keys() if not isinstance(known[name], dict)]
    listed = known.get("aprs", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        wrong.append("aprs")
    if wrong:
        raise InvalidField(f"liability.{min(wrong)} has the wrong type")


def _student(known: dict[str, Any]) -> dict[str, Any]:
    fields = {name: known[name] for name in _STUDENT_KEYS if name in known}
    renamed = {
        "principal": "origination_principal_amount",
        "nominal_apr": "interest_rate_percentage",
    }
    fields |= {ours: known[theirs] for theirs, ours in renamed.items() if theirs in known}
    if "repayment_plan_type" in known:
        description = known.get("repayment_plan_description", "Standard Repayment")
        fields["repayment_plan"] = {
            "type": known["repayment_plan_type"],
            "description": description,
        }
    if "expected_payoff_date" not in known and "origination_date" in known:
        fields |= _payoff(known["origination_date"], known.get("repayment_model") or {})
    if "servicer_address" in known:
        fields["servicer_address"] = known["servicer_address"].get("data", {})
    if "origination_date" in known:
        fields["disbursement_dates"] = [known["origination_date"]]
    return fields


def _payoff(origination: str, model: dict[str, Any]) -> dict[str, str]:
    months = (model.get("non_repayment_months") or 0) + (model.get("repayment_months") or 0)
    if not months:
        return {}
    began = date.fromisoformat(origination)
    year, month = divmod(began.month - 1 + int(months), 12)
    # Every month has a 28th.
    day = date(began.year + year, month + 1, min(began.day, 28))
    return {"expected_payoff_date": day.isoformat()}


def owner(told: dict[str, Any] | None) -> dict[str, Any]:
    """Return the owner: what is told, without its empty entries, over the Sandbox's person."""
    given = {name: _entries(each) for name, each in (told or {}).items()}
    return default_owner() | {name: entries for name, entries in given.items() if entries}


def _entries(told: list[Any] | None) -> list[Any]:
    return [each for each in told or () if each is not None and not _is_blank(each)]


def _is_blank(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    data = entry.get("data")
    return data is None or (isinstance(data, dict) and not any(data.values()))

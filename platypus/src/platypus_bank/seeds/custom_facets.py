"""What a custom user's account says beside balances and transactions: owners, debts, investments.

https://plaid.com/docs/sandbox/user-custom/ and OverrideAccounts of the OpenAPI file. Whatever is left
out, or null, is as with anybody in the Sandbox; Plaid does not say how, so the rest is ours.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from platypus_bank.exact_json import Number
from platypus_bank.seeds import debts
from platypus_bank.seeds.debts import Liability
from platypus_bank.seeds.owners import default_owner
from platypus_bank.seeds.portfolio import Holding, Portfolio, Security, Trade, option_contract

_KINDS = {"credit card": "credit", "paypal": "credit", "student": "student"}
_APR_FIELDS = {"special": "special_apr"}  # the others are called as in CreditCardLiability
_CREDIT_KEYS = ("last_payment_amount", "minimum_payment_amount", "is_overdue")
_STUDENT_KEYS = (
    "minimum_payment_amount", "is_overdue", "origination_date", "expected_payoff_date", "guarantor",
    "loan_name", "loan_status", "payment_reference_number", "pslf_status", "sequence_number",
)  # fmt: skip
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


def liability(
    told: dict[str, Any] | None, subtype: str | None, owed: Number, today: date
) -> Liability | None:
    """Return the debt that is told of, or the one that an account of this subtype is; else None."""
    known = {name: value for name, value in (told or {}).items() if value is not None}
    kind = known.get("type") or _KINDS.get(subtype or "")
    if kind not in {"credit", "student"}:
        return None
    if kind == "credit":
        aprs = {each: known.get(_APR_FIELDS.get(each, each)) for each in debts.APR_TYPES}
        told_of_it = {name: known[name] for name in _CREDIT_KEYS if name in known}
        return debts.card(aprs, owed, today, **told_of_it)
    return debts.student_loan(**_student(known))


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
    if "servicer_address" in known:
        fields["servicer_address"] = known["servicer_address"].get("data", {})
    if "origination_date" in known:
        fields["disbursement_dates"] = [known["origination_date"]]
    return fields


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

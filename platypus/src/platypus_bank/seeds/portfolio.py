"""What an investment account holds and did, before it gets ids (https://plaid.com/docs/api/products/investments/)."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from platypus_bank.exact_json import Number
from platypus_bank.ids import named_id

_OPTION = re.compile(r"(?P<ticker>[A-Z]{1,6})(?P<day>\d{6})(?P<kind>[CP])(?P<strike>\d{8})")


class Security(Struct, kw_only=True, frozen=True):
    """A security; what nobody knows is None. One that is known by other facts is another one."""

    name: str | None
    ticker_symbol: str | None = None
    type: str | None = "equity"
    subtype: str | None = None
    close_price: Number | None = None
    cusip: str | None = None
    isin: str | None = None
    sedol: str | None = None
    institution_security_id: str | None = None
    currency: str = "USD"
    is_cash_equivalent: bool = False
    market_identifier_code: str | None = None
    sector: str | None = None
    industry: str | None = None
    cfi_code: str | None = None
    option_contract: dict[str, Any] | None = None
    fixed_income: dict[str, Any] | None = None

    @property
    def security_id(self) -> str:
        """The id that it has for every client and in every world."""
        facts = (self.ticker_symbol, self.cusip, self.isin, self.sedol, self.name, self.currency)
        return named_id("security", *map(str, facts))

    def body(self) -> dict[str, Any]:
        """Return the Security schema of the OpenAPI file, and `figi`, which newer clients require."""
        return {
            "security_id": self.security_id,
            "name": self.name,
            "ticker_symbol": self.ticker_symbol,
            "type": self.type,
            "subtype": self.subtype,
            "close_price": self.close_price,
            "close_price_as_of": None,
            "cusip": self.cusip,
            "isin": self.isin,
            "sedol": self.sedol,
            "figi": None,
            "institution_security_id": self.institution_security_id,
            "institution_id": None,
            "proxy_security_id": None,
            "is_cash_equivalent": self.is_cash_equivalent,
            "iso_currency_code": self.currency,
            "unofficial_currency_code": None,
            "update_datetime": None,
            "market_identifier_code": self.market_identifier_code,
            "sector": self.sector,
            "industry": self.industry,
            "cfi_code": self.cfi_code,
            "option_contract": self.option_contract,
            "fixed_income": self.fixed_income,
        }


class Holding(Struct, kw_only=True):
    """A position; without a `value` it is worth price times quantity."""

    security: Security
    quantity: Number
    price: Number
    priced_on: date | None = None
    cost_basis: Number | None = None
    value: Number | None = None
    currency: str = "USD"

    def body(self, account_id: str) -> dict[str, Any]:
        """Return the Holding schema of the OpenAPI file."""
        worth = Decimal(self.price) * Decimal(self.quantity) if self.value is None else self.value
        return {
            "account_id": account_id,
            "security_id": self.security.security_id,
            "quantity": self.quantity,
            "institution_price": self.price,
            "institution_price_as_of": self.priced_on and self.priced_on.isoformat(),
            "institution_price_datetime": None,
            "institution_value": worth,
            "cost_basis": self.cost_basis,
            "iso_currency_code": self.currency,
            "unofficial_currency_code": None,
            "vested_quantity": None,
            "vested_value": None,
        }


class Trade(Struct, kw_only=True):
    """Something that was done; `amount` positive = cash out, `quantity` negative = units out.

    One with a `key` has the same id whenever it is told.
    """

    key: str = ""
    day: date
    name: str
    type: str
    subtype: str
    quantity: Number
    price: Number
    amount: Number
    fees: Number | None = None
    security: Security | None = None
    currency: str = "USD"

    def body(self, account_id: str, trade_id: str) -> dict[str, Any]:
        """Return the InvestmentTransaction schema of the OpenAPI file."""
        return {
            "investment_transaction_id": trade_id,
            "cancel_transaction_id": None,
            "account_id": account_id,
            "security_id": self.security and self.security.security_id,
            "date": self.day.isoformat(),
            "transaction_datetime": None,
            "name": self.name,
            "quantity": self.quantity,
            "amount": self.amount,
            "price": self.price,
            "fees": self.fees,
            "type": self.type,
            "subtype": self.subtype,
            "iso_currency_code": self.currency,
            "unofficial_currency_code": None,
        }


class Portfolio(Struct, kw_only=True):
    """Everything about an investment account beside its balances."""

    holdings: list[Holding] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def securities(self) -> list[Security]:
        """Return every security that is held or was traded, each once."""
        named = [each.security for each in self.holdings]
        named += [each.security for each in self.trades if each.security is not None]
        return list({each.security_id: each for each in named}.values())


def option_contract(ticker: str) -> dict[str, Any] | None:
    """Return the OptionContract schema that an OCC symbol spells, or None where it is no symbol."""
    spelt = _OPTION.fullmatch(ticker)
    if spelt is None:
        return None
    day = spelt["day"]
    return {
        "contract_type": "call" if spelt["kind"] == "C" else "put",
        "expiration_date": f"20{day[:2]}-{day[2:4]}-{day[4:]}",
        "strike_price": Decimal(spelt["strike"]) / 1000,
        "underlying_security_ticker": spelt["ticker"],
    }

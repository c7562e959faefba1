"""What a person's brokerage account holds on a day, and every trade that led there.

Money comes in each month and buys two funds; each February it buys a share that December sells
whole; each March some of another is sold, whose units double in June of even years.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from platypus_bank.living import market
from platypus_bank.living.bank_days import falls_due
from platypus_bank.living.market import BURR, DOLLAR, DUCK, FUND, QUOTES, TOTAL, Quote
from platypus_bank.living.person import Person
from platypus_bank.money import money
from platypus_bank.seeds.portfolio import Holding, Portfolio, Trade

_BEGAN = date(2021, 1, 1)
_SHOWN_DAYS = 760
"""How long a trade is told of: Plaid gives two years."""
_MONTHLY_ON = 4
_SHARE = Decimal("0.0001")


class _Deed(NamedTuple):
    """One trade: units come in or go, cents go out (positive) or come in."""

    day: date
    quote: Quote | None
    type: str
    subtype: str
    units: Decimal
    cents: int

    def trade(self) -> Trade:
        named = self.quote.name if self.quote else "DEPOSIT"
        symbol = self.quote.symbol if self.quote else DOLLAR.ticker_symbol
        return Trade(
            key=f"{self.day}/{self.subtype}/{symbol}",
            day=self.day,
            name=f"{self.subtype.upper()} {named}",
            type=self.type,
            subtype=self.subtype,
            quantity=self.units,
            price=self._price(),
            amount=money(self.cents),
            fees=0,
            security=market.security(self.quote, self.day) if self.quote else DOLLAR,
        )

    def _price(self) -> Decimal | int:
        if self.quote is None or self.type not in {"buy", "sell"}:
            return 0
        return money(market.price(self.quote, self.day))


class Position(NamedTuple):
    """Units of a security and what they cost, in cents."""

    units: Decimal = Decimal(0)
    cost: int = 0


class State(NamedTuple):
    """What is held after all deeds up to a day."""

    positions: dict[str, Position]
    cash: int
    deeds: tuple[_Deed, ...]

    def value(self, day: date) -> int:
        """Return what all is worth on a day, in cents."""
        return self.cash + sum(
            worth(quote, self.positions[quote.symbol].units, day) for quote in QUOTES
        )


def worth(quote: Quote, units: Decimal, day: date) -> int:
    """Return what some units are worth, in cents."""
    return int((units * market.price(quote, day)).to_integral_value())


@lru_cache(maxsize=4096)
def state(who: Person, today: date) -> State:
    """Return what is held at the end of a day: as after the month before, and what came since."""
    first = today.replace(day=1)
    if today < _BEGAN:
        return State({quote.symbol: Position() for quote in QUOTES}, 0, ())
    before = state(who, first - timedelta(days=1))
    book = _Book(dict(before.positions), before.cash, list(before.deeds))
    for day in _days_of_deeds(first, today):
        for deed in _deeds(who, day, book):
            book.enter(deed)
    return State(book.positions, book.cash, tuple(book.deeds))


class _Book:
    def __init__(self, positions: dict[str, Position], cash: int, deeds: list[_Deed]) -> None:
        self.positions, self.cash, self.deeds = positions, cash, deeds

    def units(self, quote: Quote) -> Decimal:
        return self.positions[quote.symbol].units

    def enter(self, deed: _Deed) -> None:
        self.deeds.append(deed)
        self.cash -= deed.cents
        if deed.quote is None or deed.subtype == "dividend":
            return
        held = self.positions[deed.quote.symbol]
        cost = held.cost + (deed.cents if deed.units > 0 else _cost_of(held, -deed.units) * -1)
        self.positions[deed.quote.symbol] = Position(held.units + deed.units, cost)


def _cost_of(held: Position, sold: Decimal) -> int:
    return int(held.cost * sold / held.units)


def _days_of_deeds(first: date, last: date) -> Iterator[date]:
    """Yield the days of a month on which something may be done."""
    for day in sorted(_DEED_DAYS):
        if day <= last.day:
            yield first.replace(day=day)


_DEED_DAYS = {4, 5, 6, 10, 15}


def _deeds(who: Person, day: date, book: _Book) -> Iterator[_Deed]:
    if falls_due(day, _MONTHLY_ON):
        yield from _monthly(who, day, book)
    if day.month in {3, 6, 9, 12} and day.day == 15:  # noqa: PLR2004 - the ides
        cents = worth(TOTAL, book.units(TOTAL), day) * 35 // 10_000
        yield _Deed(day, TOTAL, "cash", "dividend", Decimal(0), -cents)
    if market.splits_on(DUCK, day):
        yield _Deed(day, DUCK, "transfer", "split", book.units(DUCK), 0)


def _monthly(who: Person, day: date, book: _Book) -> Iterator[_Deed]:
    began = (day.year, day.month) == (_BEGAN.year, _BEGAN.month)
    cents = who.invested * (8 if began else 1)
    yield _Deed(day, None, "cash", "deposit", money(cents), -cents)
    yield _buy(day, TOTAL, who.invested * 45 // 100)
    yield _buy(day, FUND, who.invested * 30 // 100)
    if began:
        yield _buy(day, DUCK, who.invested * 2)
    if day.month == 2:  # noqa: PLR2004 - February
        yield _buy(day, BURR, who.invested)
    if day.month == 3:  # noqa: PLR2004 - March
        yield _sell(day, DUCK, (book.units(DUCK) / 10).quantize(_SHARE))
    if day.month == 12 and book.units(BURR):  # noqa: PLR2004 - December
        yield _sell(day, BURR, book.units(BURR))


def _buy(day: date, quote: Quote, cents: int) -> _Deed:
    units = (Decimal(cents) / market.price(quote, day)).quantize(_SHARE)
    return _Deed(day, quote, "buy", "buy", units, worth(quote, units, day))


def _sell(day: date, quote: Quote, units: Decimal) -> _Deed:
    return _Deed(day, quote, "sell", "sell", -units, -worth(quote, units, day))


def portfolio(who: Person, today: date) -> Portfolio:
    """Return holdings and trades as of a day; what was sold whole is held no more."""
    held = state(who, today)
    holdings = [
        _holding(quote, held.positions[quote.symbol], today)
        for quote in QUOTES
        if held.positions[quote.symbol].units
    ]
    cash = money(held.cash)
    holdings.append(Holding(security=DOLLAR, quantity=cash, price=1, value=cash, cost_basis=cash))
    since = today - timedelta(days=_SHOWN_DAYS)
    return Portfolio(
        holdings=holdings, trades=[each.trade() for each in held.deeds if each.day >= since]
    )


def _holding(quote: Quote, held: Position, today: date) -> Holding:
    return Holding(
        security=market.security(quote, today),
        quantity=held.units,
        price=money(market.price(quote, today)),
        priced_on=today,
        cost_basis=money(held.cost),
        value=money(worth(quote, held.units, today)),
    )

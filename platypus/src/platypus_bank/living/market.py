"""What securities cost on a day, when they split, and which there are."""

from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from platypus_bank.living.bank_days import last_business_day
from platypus_bank.money import money
from platypus_bank.seeds.portfolio import Security

_EPOCH = date(2020, 1, 1)
_SPLIT_MONTH, _SPLIT_DAY = 6, 10


class Quote(NamedTuple):
    """A security's name and how its price goes: cents at the beginning, percent a year."""

    symbol: str
    name: str
    type: str
    start: int
    yearly_percent: int
    swing_percent: int
    doubles: bool = False  # and splits 2:1, on 10 June of every even year


TOTAL = Quote("PLTX", "Platypus Total Market ETF", "etf", 18_000, 8, 6)
FUND = Quote("WEBFX", "Webfoot Balanced Index Fund", "mutual fund", 4_200, 5, 3)
DUCK = Quote("DUCK", "Duckbill Dynamics Inc.", "equity", 6_400, 0, 9, doubles=True)
BURR = Quote("BURR", "Burrow Homes REIT", "equity", 5_200, 2, 12)
QUOTES = (TOTAL, FUND, DUCK, BURR)
DOLLAR = Security(
    name="U S Dollar", ticker_symbol="CUR:USD", type="cash", close_price=1, is_cash_equivalent=True
)


def price(quote: Quote, day: date) -> int:
    """Return a price in cents at a day's close; at a weekend, Friday's."""
    return _close(quote, last_business_day(day))


@lru_cache(maxsize=16_384)
def _close(quote: Quote, traded: date) -> int:
    # Sums and products only: the same on every machine.
    elapsed = (traded - _EPOCH).days
    trend = 100 + quote.yearly_percent * elapsed / 365
    if quote.doubles:
        trend = 100 * (1 + _through_cycle(traded))
    swings = _wave(elapsed, 411) + _wave(elapsed, 83) / 2 + _noise(quote.symbol, traded) / 5
    return max(1, round(quote.start * trend / 100 * (1 + quote.swing_percent * swings / 100)))


def _wave(elapsed: int, days: int) -> float:
    return 4 * abs(elapsed % days / days - 0.5) - 1


def _noise(symbol: str, day: date) -> float:
    (byte,) = blake2b(f"{symbol}/{day}".encode(), digest_size=1).digest()
    return byte / 127.5 - 1


def _through_cycle(day: date) -> float:
    """Return which part of the two years between splits has gone by."""
    year = day.year - day.year % 2
    last = date(year, _SPLIT_MONTH, _SPLIT_DAY)
    if day < last:
        last = date(year - 2, _SPLIT_MONTH, _SPLIT_DAY)
    return (day - last).days / 731


def splits_on(quote: Quote, day: date) -> bool:
    """Tell whether a security's units double on a day."""
    return (
        quote.doubles and day.year % 2 == 0 and (day.month, day.day) == (_SPLIT_MONTH, _SPLIT_DAY)
    )


def security(quote: Quote, day: date) -> Security:
    """Return a security as it is told on a day."""
    return Security(
        name=quote.name,
        ticker_symbol=quote.symbol,
        type=quote.type,
        close_price=money(price(quote, day)),
        market_identifier_code="XNAS",
    )

"""Who lives at the bank: drawn from a seed, so that a name is the same person at every bank."""

from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Any, Literal

from msgspec import Struct

Role = Literal["checking", "savings", "card", "euro", "brokerage", "mortgage", "student"]
PREFIX = "user_living"
PACKED_DAYS, TRIP_DAYS = 3, 8
_FIRST = (
    "Ada",
    "Benedikt",
    "Chidi",
    "Dolores",
    "Emil",
    "Fatima",
    "Grace",
    "Hamid",
    "Ingrid",
    "Jun",
)
_LAST = ("Archer", "Brook", "Castellan", "Dunmore", "Ellery", "Finch", "Garland", "Holloway")
_EMPLOYERS = ("WOMBAT WORKS", "BILLABONG BOOKS", "MONOTREME LABS", "RIVERBANK CLINIC")
_STREETS = ("Quarry Lane", "Mill Street", "Harbour Road", "Orchard Avenue")
_CENTS = 100


class Person(Struct, frozen=True, kw_only=True):
    """One person's terms of life; money in cents, days of a month as numbers."""

    key: str
    full_name: str
    employer: str
    street: str
    wage: int
    paid_in_odd_weeks: bool
    owns_home: bool
    bill_shift: int

    @property
    def monthly(self) -> int:
        """What comes in a month, on average."""
        return self.wage * 26 // 12

    @property
    def home_cost(self) -> int:
        """The rent, or what the mortgage takes, each month."""
        return self.monthly * 27 // 100 // _CENTS * _CENTS

    @property
    def saved(self) -> int:
        """What goes to savings each month."""
        return self.monthly * 8 // 100 // _CENTS * _CENTS

    @property
    def invested(self) -> int:
        """What goes to the broker each month."""
        return self.monthly * 7 // 100 // _CENTS * _CENTS

    @property
    def thrift(self) -> float:
        """How dear a purchase is, against that of somebody with 5,500.00 a month."""
        return self.monthly / 550_000

    def dice(self, *name: object) -> Random:
        """Return the chance of something by its name: the same for the same person, always."""
        named = "/".join(map(str, (self.key, *name)))
        number = int.from_bytes(blake2b(named.encode(), digest_size=8).digest())
        return Random(number)  # noqa: S311 - reproducible, not secret

    def owner(self) -> dict[str, Any]:
        """Return the Owner schema of the OpenAPI file."""
        mail = f"{self.full_name.lower().replace(' ', '.')}@example.com"
        address = {
            "street": self.street,
            "city": "Malakoff",
            "region": "NY",
            "postal_code": "14236",
            "country": "US",
        }
        return {
            "names": [self.full_name],
            "phone_numbers": [{"data": "2025550123", "primary": True, "type": "mobile"}],
            "emails": [{"data": mail, "primary": True, "type": "primary"}],
            "addresses": [{"data": address, "primary": True}],
        }


def is_living(username: str) -> bool:
    """Tell whether a login is that of somebody whose life goes on."""
    return username.startswith(PREFIX)


@lru_cache(maxsize=4096)
def person(seed: int, username: str) -> Person:
    """Return who a username is in worlds of a seed."""
    key = f"{seed}/{username}"
    unborn = Person(
        key=key, full_name="", employer="", street="", wage=0, paid_in_odd_weeks=False,
        owns_home=False, bill_shift=0,
    )  # fmt: skip
    dice = unborn.dice("person")
    return Person(
        key=key,
        full_name=f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
        employer=dice.choice(_EMPLOYERS),
        street=f"{dice.randrange(1, 400)} {dice.choice(_STREETS)}",
        wage=dice.randrange(180_000, 340_000),
        paid_in_odd_weeks=dice.random() < 0.5,  # noqa: PLR2004 - a coin
        owns_home=dice.random() < 0.5,  # noqa: PLR2004 - a coin
        bill_shift=dice.randrange(4),
    )


@lru_cache(maxsize=8192)
def trips(who: Person, year: int) -> tuple[date, ...]:
    """Return the first days of a year's two trips abroad."""
    dice = who.dice("trips", year)
    return tuple(
        date(year, first_month, 1) + timedelta(days=dice.randrange(60)) for first_month in (3, 8)
    )


def days_into_trip(who: Person, day: date) -> int | None:
    """Return how many days before or into a trip a day is (-3 to 7), or None when at home."""
    for start in trips(who, day.year):
        into = (day - start).days
        if -PACKED_DAYS <= into < TRIP_DAYS:
            return into
    return None

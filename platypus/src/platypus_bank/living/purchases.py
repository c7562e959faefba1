"""What a person buys on a day, and how each purchase ends."""

from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from platypus_bank.clock import DAY_SECONDS, midnight
from platypus_bank.living.bank_days import business_day
from platypus_bank.living.habits import ABROAD, HABITS, Habit
from platypus_bank.living.movements import Movement
from platypus_bank.living.person import Person, days_into_trip

_OPEN, _CLOSED = 8 * 3600, 22 * 3600  # the shops' hours
_BOOKED_AT = 6 * 3600
_REFINED_AFTER = 30 * 3600
_VAGUE = 0.08  # so many purchases Plaid knows no merchant of at first
_RETURNED = 0.12
_DOUBLED = "doubled"
_UNKNOWN = ("GENERAL_MERCHANDISE", "OTHER_GENERAL_MERCHANDISE")


@lru_cache(maxsize=16_384)
def purchases(who: Person, day: date) -> tuple[Movement, ...]:
    """Return what is bought on a day, and what is given back of it."""
    dice = who.dice(day)
    into = days_into_trip(who, day)
    habits = HABITS if into is None or into < 0 else ABROAD
    found: list[Movement] = []
    for habit in habits:
        # Each habit takes the same draws whether or not it happens: one can't shift another.
        chance, own = dice.random(), dice.getrandbits(64)
        if chance * 7 < habit.a_week:
            found += _purchase(who, day, habit, Random(own))  # noqa: S311 - reproducible, not secret
    return tuple(found)


def _purchase(who: Person, day: date, habit: Habit, dice: Random) -> list[Movement]:
    cents = round(dice.uniform(habit.low, habit.high) * who.thrift)
    shown = midnight(day) + dice.randrange(_OPEN, _CLOSED)
    posted = midnight(business_day(day + timedelta(days=dice.randrange(1, 4)))) + _BOOKED_AT
    shop = dice.choice(habit.shops)
    fields: dict[str, Any] = {
        "key": f"{day}/{habit.name}",
        "account": habit.account,
        "cents": cents,
        "label": f"{shop.name.upper()} {dice.randrange(100, 9999):04}",
        "category": (shop.primary, shop.detail),
        "merchant": shop.name,
        "channel": habit.channel,
        "shown_at": shown,
        "posted_at": posted,
    }
    fields |= _ending(habit, dice, fields)
    if dice.random() < _VAGUE and fields["posted_at"] is not None:
        fields["refined_at"] = posted + _REFINED_AFTER
    bought = Movement(**fields)
    return [bought, *_consequences(habit, dice, bought)]


def _ending(habit: Habit, dice: Random, fields: dict[str, Any]) -> dict[str, Any]:
    cents = fields["cents"]
    if habit.way == "tip":
        return {"held_cents": cents, "cents": cents * dice.randrange(112, 125) // 100}
    if habit.way == "hold":
        return {"held_cents": dice.choice((100, 10_000))}
    if habit.way == "vanishes":
        return {"posted_at": None, "gone_at": fields["shown_at"] + 5 * DAY_SECONDS}
    return {}


def _consequences(habit: Habit, dice: Random, bought: Movement) -> list[Movement]:
    """Return what follows from a purchase: a refund days later, or a booking made twice."""
    if bought.posted_at is None:
        return []
    if habit.way == "returns" and dice.random() < _RETURNED:
        back = bought.posted_at + dice.randrange(2, 5) * DAY_SECONDS
        return [_again(bought, "refund", -bought.cents, back, None)]
    if habit.name == _DOUBLED:
        soon = bought.posted_at + 60
        return [_again(bought, "twin", bought.cents, soon, soon + 2 * DAY_SECONDS)]
    return []


def _again(
    bought: Movement, why: str, cents: int, posted_at: float, gone_at: float | None
) -> Movement:
    return Movement(
        key=f"{bought.key}/{why}",
        account=bought.account,
        cents=cents,
        label=bought.label,
        category=bought.category,
        merchant=bought.merchant,
        channel=bought.channel,
        shown_at=posted_at,
        posted_at=posted_at,
        gone_at=gone_at,
    )

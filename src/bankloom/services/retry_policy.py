"""When to try again: backoff with jitter and cap after failures, a short ladder while not ready.

What went well is due by its schedule: `services/schedules.py`.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TypeVar

from bankloom.services.plaid_errors import Remedy

Time = TypeVar("Time", int, timedelta)

FIRST_BACKOFF_SECONDS = 30
BACKOFF_CAP_SECONDS = (
    6 * 3600
)  # institutions are down for hours; Plaid itself checks 1 to 4 times a day
FIRST_COOLING_SECONDS = 60  # Plaid counts its limits by the minute
COOLING_CAP_SECONDS = 3600
NOT_COMPLETE_LADDER_SECONDS = (2, 5, 15, 60)
NOT_COMPLETE_LAST_SECONDS = 600

_PASSING = {
    Remedy.RETRY,
    Remedy.RESTART_LOOP,
    Remedy.REBUILD,
    Remedy.REREAD_ACCOUNTS,
    Remedy.NOT_READY,
}


def after_failure(remedy: Remedy, failures: int) -> timedelta | None:
    """Return how long to wait after the n-th failure in a row; None: only a trigger tries again."""
    if remedy in _PASSING:
        ceiling = doubled(FIRST_BACKOFF_SECONDS, failures, BACKOFF_CAP_SECONDS)
        return timedelta(seconds=jittered(ceiling))
    return None


def until_complete(tries: int) -> timedelta:
    """Return how long to wait before asking again for history that Plaid is still fetching."""
    ladder = NOT_COMPLETE_LADDER_SECONDS
    return timedelta(seconds=ladder[tries] if tries < len(ladder) else NOT_COMPLETE_LAST_SECONDS)


def while_cooling(coolings: int) -> timedelta:
    """Return how long to leave an Item alone that Plaid was asked about too often, without its hint."""
    ceiling = doubled(FIRST_COOLING_SECONDS, coolings, COOLING_CAP_SECONDS)
    return timedelta(seconds=jittered(ceiling))


def doubled(first: Time, times: int, longest: Time) -> Time:
    """Return the first wait, doubled so many times but never over the longest."""
    return min(longest, first * (1 << min(times, 16)))


def jittered(seconds: float) -> float:
    """Return the seconds, a quarter more or less at random."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing

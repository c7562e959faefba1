"""When to try again: backoff with jitter and cap after failures, a short ladder while not ready."""

from __future__ import annotations

import random
from datetime import timedelta

from bankloom.services.plaid_errors import Remedy

FIRST_BACKOFF_SECONDS = 30
BACKOFF_CAP_SECONDS = (
    6 * 3600
)  # institutions are down for hours; Plaid itself checks 1 to 4 times a day
RELINK_CHECK_SECONDS = 24 * 3600  # a repair outside our own update mode is noticed within a day
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
        ceiling = min(BACKOFF_CAP_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 16))
        return timedelta(seconds=_jittered(ceiling))
    if remedy is Remedy.RELINK:
        return timedelta(seconds=_jittered(RELINK_CHECK_SECONDS))
    return None


def until_complete(tries: int) -> timedelta:
    """Return how long to wait before asking again for history that Plaid is still fetching."""
    ladder = NOT_COMPLETE_LADDER_SECONDS
    return timedelta(seconds=ladder[tries] if tries < len(ladder) else NOT_COMPLETE_LAST_SECONDS)


def after_success(interval_seconds: int) -> timedelta:
    """Return how long until the next scheduled run, spread so that Items don't fall due together."""
    return timedelta(seconds=_jittered(interval_seconds))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing

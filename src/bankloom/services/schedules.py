"""When each product of an Item, and the Item itself, is due next without any other cause."""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import ItemState
from bankloom.services.retry_policy import jittered

if TYPE_CHECKING:
    from bankloom.core.settings import Settings

DAY_SECONDS = 24 * 3600
NIGHT_BEGINS_UTC = 5
"""Midnight in New York at the latest: markets are closed, and Plaid reads investments overnight."""

NIGHT_HOURS = 4
"""The night's work is spread over so long; it ends before anyone there is up."""

LOOK_AGAIN_SECONDS = 3600
CHECKED_ALONG = 0.25
"""A check of the Item that is due within this share of its interval goes along with another run."""


def next_sync(product: str, settings: Settings) -> datetime:
    """Return when a product that is up to date is due again, spread so that Items don't meet."""
    at = clock.now()
    if product == "investments":
        return _next_night(at)
    seconds = settings.sync_interval_seconds if product == "transactions" else DAY_SECONDS
    return at + timedelta(seconds=jittered(seconds))


def next_check(state: str, settings: Settings) -> datetime | None:
    """Return when to look at the Item again: daily where it waits for a person, else by setting.

    None where nothing that we could ask would help: the Item is gone.
    """
    if state in {ItemState.REVOKED, ItemState.REMOVED}:
        return None
    waits = state == ItemState.NEEDS_RELINK
    seconds = DAY_SECONDS if waits else settings.check_interval_seconds
    return clock.now() + timedelta(seconds=jittered(seconds))


def next_look() -> datetime:
    """Return when to look again at an Item that could not be asked about: in an hour or so."""
    return clock.now() + timedelta(seconds=jittered(LOOK_AGAIN_SECONDS))


def goes_along(settings: Settings) -> timedelta:
    """Return how much too early an Item is checked when a run of it begins anyway."""
    return timedelta(seconds=CHECKED_ALONG * settings.check_interval_seconds)


def _next_night(at: datetime) -> datetime:
    begins = datetime.combine(at.date(), time(NIGHT_BEGINS_UTC), at.tzinfo)
    within = timedelta(hours=random.uniform(0, NIGHT_HOURS))  # noqa: S311 - spreads load, guards nothing
    # One that has begun is this run's own: a later moment of it would be a second run.
    return begins + within if begins > at else begins + within + timedelta(days=1)

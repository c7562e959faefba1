"""When things are due without any other cause: spread, by product, and never for an Item that is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bankloom.core import clock
from bankloom.core.settings import Settings
from bankloom.models import ItemState
from bankloom.services import schedules

if TYPE_CHECKING:
    from collections.abc import Callable

instants = some.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001 - the zone is the next argument


def settings(**more: Any) -> Settings:
    return Settings(_env_file=None, **more)


def waits(due: Callable[[], datetime | None]) -> list[float]:
    """Return some waits until something is due, in hours."""
    return [((due() or clock.now()) - clock.now()) / timedelta(hours=1) for _ in range(20)]


@given(some.integers(60, 10**7))
def test_transactions_are_synced_by_the_setting(interval: int) -> None:
    """Items linked together don't stay due together, and on average the interval is kept."""
    hours = interval / 3600
    seen = waits(
        lambda: schedules.next_sync("transactions", settings(sync_interval_seconds=interval))
    )
    assert all(0.74 * hours <= wait <= 1.25 * hours for wait in seen)
    assert len(set(seen)) > 1


@given(instants)
def test_investments_are_read_at_night(at: datetime) -> None:
    """Within a day, between the close of the markets and the morning, spread over the night."""
    nights = {schedules._next_night(at) for _ in range(20)}
    assert all(at < night <= at + timedelta(hours=24 + schedules.NIGHT_HOURS) for night in nights)
    begin, end = schedules.NIGHT_BEGINS_UTC, schedules.NIGHT_BEGINS_UTC + schedules.NIGHT_HOURS
    assert all(begin <= night.hour < end for night in nights)
    assert len(nights) > 1


def test_investments_are_read_once_a_night() -> None:
    """Whoever is read tonight is read again tomorrow night, not once more tonight."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    nights = []
    for _ in range(200):
        at = schedules._next_night(at)
        nights.append(at.date())
    assert len(set(nights)) == len(nights)
    assert nights[-1] - nights[0] == timedelta(days=199)


@pytest.mark.parametrize("product", ["liabilities", "auth", "identity"])
def test_the_others_are_read_daily(product: str) -> None:
    """A day, a quarter more or less."""
    assert all(
        17.9 <= wait <= 30 for wait in waits(lambda: schedules.next_sync(product, settings()))
    )


@pytest.mark.parametrize("state", ItemState)
def test_how_often_an_item_is_looked_at(state: ItemState) -> None:
    """By the setting; daily where it waits for a person; never where it is gone."""
    if state in {ItemState.REVOKED, ItemState.REMOVED}:
        assert schedules.next_check(state, settings()) is None
        return
    hours = 24 if state is ItemState.NEEDS_RELINK else 6
    seen = waits(lambda: schedules.next_check(state, settings()))
    assert all(0.74 * hours <= wait <= 1.25 * hours for wait in seen)

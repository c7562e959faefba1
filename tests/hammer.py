"""Processes of their own that spend from Plaid's budget as fast as they can, and who judges them."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from bankloom.core.db import Database
from bankloom.core.errors import PlaidBusyError
from bankloom.core.settings import Settings
from bankloom.models import PlaidBudget
from bankloom.services import plaid_budget, rate_limits
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.synchronize import Barrier

    from sqlalchemy import Connection

    from bankloom.models.plaid_budget import Cost

CHILD_SECONDS_MAX = 60


class Grant(NamedTuple):
    """A call that was allowed: what it spent from, and between which times of all processes' clock."""

    keys: tuple[str, ...]
    asked_at: float
    told_at: float


def in_processes(count: int, target: Callable[..., Any], *args: Any) -> list[Any]:
    """Call the target in so many processes at the same moment; return what it returned in each."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, _meet_at, (context.Barrier(count),)) as pool:
        calls = [pool.apply_async(_together, (target, args)) for _ in range(count)]
        return [call.get(CHILD_SECONDS_MAX) for call in calls]


_meeting: list[Barrier] = []


def _meet_at(barrier: Barrier) -> None:
    _meeting.append(barrier)


def _together(target: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    _meeting[0].wait(CHILD_SECONDS_MAX)
    return target(*args)


def spend(url: str, calls: Sequence[Sequence[Cost]], seconds: float) -> list[Grant]:
    """Spend what these calls cost over and over, each over a connection of its own."""
    with closing(Database(url)) as database, ThreadPoolExecutor(len(calls)) as pool:
        until = time.monotonic() + seconds
        spent = [pool.submit(_spend_until, database, costs, until) for costs in calls]
        return [grant for each in spent for grant in each.result()]


def _spend_until(database: Database, costs: Sequence[Cost], until: float) -> list[Grant]:
    grants = []
    keys = tuple(cost.key for cost in costs)
    with autocommitting(database) as connection:
        while (asked_at := time.monotonic()) < until:
            if not PlaidBudget.spend(connection, costs):
                grants.append(Grant(keys, asked_at, time.monotonic()))
    return grants


def autocommitting(database: Database) -> Connection:
    """Return a connection as the budget uses it."""
    return database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def ask_for_items(
    environment: dict[str, str],
    tokens: list[str],
    seconds: float,
    window_seconds: float,
) -> int:
    """Ask `/item/get` over and over for each Item; return how often the budget said no."""
    os.environ.update(environment)
    rate_limits.WINDOW_SECONDS = window_seconds
    plaid_budget.WAIT_IN_PLACE_SECONDS = 0.1
    busy = 0
    with closing(Runtime.open(Settings.read())) as runtime:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for token in tokens:
                busy += 1
                with suppress(PlaidBusyError):
                    runtime.plaid.item_get(token)
                    busy -= 1
    return busy


def most_in_a_window(times: Sequence[float], seconds: float) -> int:
    """Return how many of these times at most lie within one window of so many seconds."""
    ordered = sorted(times)
    first = most = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def surely_in_a_window(grants: Sequence[Grant], seconds: float) -> int:
    """Return how many grants at least were given within one window, whenever exactly each was."""
    return max(
        sum(
            1
            for grant in grants
            if begin.asked_at <= grant.asked_at <= grant.told_at < begin.asked_at + seconds
        )
        for begin in grants
    )

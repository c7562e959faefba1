"""What bounds the number of Items: how much each thing allows, by how much of it an Item takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, get_args

import assumptions
from fleet import CALLS, SLOTS
from life import DAY_SECONDS

from bankloom.models.webhook_delivery import FORGOTTEN_AT_ONCE_MAX
from bankloom.services import prune, rate_limits
from bankloom.services.tasks import TICK_SECONDS
from bankloom.services.tick import DUE_ITEMS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import Costs
    from scaling import Demand


class Bound(NamedTuple):
    """Something that is used up: what it allows and what an Item takes, both a day."""

    name: str
    allows: str
    a_day: float
    by_item: float
    peaks: bool = True
    """Whether the busiest hour asks for more of it than the mean."""

    @property
    def items(self) -> float:
        """How many Items it carries over a day."""
        return self.a_day / self.by_item

    @property
    def items_at_peak(self) -> float:
        """How many it carries in the busiest hour without falling behind."""
        return self.items / (assumptions.BUSIEST_HOUR.value if self.peaks else 1)


def all_bounds(costs: Costs, usual: Demand, polled: Demand) -> list[Bound]:
    """Return them, the lowest first; those of the machines are measured, the others are read."""
    bounds = [*_of_plaid(usual), *_of_constants(usual, polled), *_of_machines(costs, usual)]
    return sorted(bounds, key=lambda bound: bound.items_at_peak)


def _of_plaid(usual: Demand) -> Iterator[Bound]:
    for environment in get_args(rate_limits.Environment):
        limits = rate_limits.read(None, environment)
        for path in CALLS:
            if calls := limits[path].client:
                name = f"Plaid, {environment.capitalize()}: `{path}`"
                lasting = DAY_SECONDS / rate_limits.Limit(calls).step_seconds
                allows = f"{calls:,} a minute, {60 * lasting / DAY_SECONDS:,.0f} for long"
                yield Bound(name, allows, lasting, usual.calls[path])


def _of_constants(usual: Demand, polled: Demand) -> Iterator[Bound]:
    ticks = DAY_SECONDS / TICK_SECONDS
    yield Bound(
        "Ticks, without webhooks",
        f"{DUE_ITEMS_MAX} Items each {TICK_SECONDS} s",
        ticks * DUE_ITEMS_MAX,
        polled.scheduled,
        peaks=False,
    )
    forgotten = prune.ROUNDS_MAX * FORGOTTEN_AT_ONCE_MAX
    hours = DAY_SECONDS / prune.EVERY.total_seconds()
    yield Bound(
        "Deliveries that are forgotten",
        f"{forgotten:,} an hour",
        hours * forgotten,
        usual.deliveries,
        peaks=False,
    )


def _of_machines(costs: Costs, usual: Demand) -> Iterator[Bound]:
    calls = usual.calls_in_all
    python = calls * costs.worker_seconds_a_call
    web = usual.deliveries * costs.web_seconds_a_delivery
    database = (
        calls * costs.database_seconds_a_call + usual.deliveries * costs.database_seconds_a_delivery
    )
    in_slot = calls * _seconds_a_call(costs)
    for slots in (SLOTS, 64):
        yield Bound(f"Slots of one process: {slots}", _seconds(slots), slots * DAY_SECONDS, in_slot)
    yield Bound("Python of one worker process", _seconds(1), DAY_SECONDS, python)
    yield Bound("Python of one web process", _seconds(1), DAY_SECONDS, web)
    yield Bound(
        "One machine of 2 cores, all of it", _seconds(2), 2 * DAY_SECONDS, python + web + database
    )
    cores = int(assumptions.DATABASE_CORES.value)
    yield Bound(f"PostgreSQL on {cores} cores", _seconds(cores), cores * DAY_SECONDS, database)


def _seconds(places: int) -> str:
    return f"{places} s a second"


def _seconds_a_call(costs: Costs) -> float:
    """Return how long a call holds its slot where nothing else is at work."""
    plaid = assumptions.PLAID_SECONDS.value * math.exp(assumptions.PLAID_SECONDS_SPREAD**2 / 2)
    own = costs.worker_seconds_a_call + costs.database_seconds_a_call
    return plaid + own + costs.commits_a_call * costs.commit_seconds

"""What bounds the number of Items: how much each thing allows, by how much of it an Item takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, get_args

import assumptions
from fleet import CALLS, SLOTS, SLOTS_MAX
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
    """Something that is used up: what it allows and what an Item takes, both a day.

    `by_item_late` is what it takes where webhooks have to wait: those that wait together are one run.
    """

    name: str
    allows: str
    a_day: float
    by_item: float
    by_item_late: float
    peaks: bool = True
    """Whether the busiest hour asks for more of it than the mean."""

    @property
    def items_at_peak(self) -> float:
        """How many Items it carries in the busiest hour with nobody waiting."""
        return self.a_day / self.by_item / (assumptions.BUSIEST_HOUR.value if self.peaks else 1)

    @property
    def items(self) -> float:
        """How many it carries over a day, however late."""
        return self.a_day / self.by_item_late


def all_bounds(costs: Costs, usual: Demand, late: Demand, polled: Demand) -> list[Bound]:
    """Return them, the lowest first; those of the machines are measured, the others are read."""
    machines = _of_machines(costs, usual, late._replace(deliveries=usual.deliveries))
    return sorted(
        (*of_plaid(usual, late), *of_constants(usual, polled), *machines),
        key=lambda bound: bound.items_at_peak,
    )


def of_plaid(usual: Demand, late: Demand) -> Iterator[Bound]:
    """Return Plaid's limits of the client, as far as our budget lets them be used for long."""
    for environment in get_args(rate_limits.Environment):
        limits = rate_limits.read(None, environment)
        for path in CALLS:
            if calls := limits[path].client:
                name = f"Plaid, {environment.capitalize()}: `{path}`"
                lasting = DAY_SECONDS / rate_limits.Limit(calls).step_seconds
                allows = f"{calls:,} a minute, {60 * lasting / DAY_SECONDS:,.0f} for long"
                yield Bound(name, allows, lasting, usual.calls[path], late.calls[path])


def of_constants(usual: Demand, polled: Demand) -> Iterator[Bound]:
    """Return what constants of ours allow."""
    ticks = DUE_ITEMS_MAX * DAY_SECONDS / TICK_SECONDS
    allows = f"{DUE_ITEMS_MAX} Items each {TICK_SECONDS} s"
    by_item = polled.scheduled
    yield Bound("Ticks, without webhooks", allows, ticks, by_item, by_item, peaks=False)
    each_time = prune.ROUNDS_MAX * FORGOTTEN_AT_ONCE_MAX
    a_day = each_time * DAY_SECONDS / prune.EVERY.total_seconds()
    allows = f"{each_time:,} each {prune.EVERY.total_seconds() / 3600:g} h"
    by_item = usual.deliveries
    yield Bound("Deliveries that are forgotten", allows, a_day, by_item, by_item, peaks=False)


def _of_machines(costs: Costs, usual: Demand, late: Demand) -> Iterator[Bound]:
    cores = int(assumptions.DATABASE_CORES.value)
    uses = [_use(costs, each) for each in (usual, late)]
    slot, worker, web, database = zip(*uses, strict=True)
    together = [sum(each[1:]) for each in uses]
    for name, places, by_item in (
        (f"Slots of one process: {SLOTS}", SLOTS, slot),
        (f"Slots of one process: {SLOTS_MAX}", SLOTS_MAX, slot),
        ("Python of one worker process", 1, worker),
        ("Python of one web process", 1, web),
        ("One machine of 2 cores, all of it", 2, together),
        (f"PostgreSQL on {cores} cores", cores, database),
    ):
        yield Bound(name, f"{places} s a second", places * DAY_SECONDS, *by_item)


class _Use(NamedTuple):
    """Seconds a day that an Item holds each: a slot, processors."""

    slot: float
    worker: float
    web: float
    database: float


def _use(costs: Costs, demand: Demand) -> _Use:
    calls, deliveries = demand.calls_in_all, demand.deliveries
    return _Use(
        calls * _seconds_a_call(costs),
        calls * costs.worker_seconds_a_call,
        deliveries * costs.web_seconds_a_delivery,
        calls * costs.database_seconds_a_call + deliveries * costs.database_seconds_a_delivery,
    )


def _seconds_a_call(costs: Costs) -> float:
    """Return how long a call holds its slot where nothing else is at work."""
    plaid = assumptions.PLAID_SECONDS.value * math.exp(assumptions.PLAID_SECONDS_SPREAD**2 / 2)
    own = costs.worker_seconds_a_call + costs.database_seconds_a_call
    return plaid + own + costs.commits_a_call * costs.commit_seconds

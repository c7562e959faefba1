"""How far each step carries: what an Item causes, what bounds how many, and fleets that grow."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import assumptions
from fleet import CALLS, FREE, ONE_MACHINE, SLOTS_MAX, Costs, Fleet, SimulatedItem
from life import CHECK_SECONDS, DAY_SECONDS, SYNC_SECONDS, Life

if TYPE_CHECKING:
    from stations import Station

WEBHOOKS = int(assumptions.WEBHOOKS_AN_UPDATE.value)
_SAMPLE = 1_000
_UPDATES = 10_000
"""Enough for a 99th percentile of a hundred."""

_SECONDS_MIN = 180
_LATE_SECONDS = 60
_LATE_SHARE = 0.02

GROWTH = (
    (100, ONE_MACHINE),
    (1_000, ONE_MACHINE),
    (10_000, ONE_MACHINE),
    (100_000, ONE_MACHINE._replace(name=f"one machine, {SLOTS_MAX} slots", slots=SLOTS_MAX)),
    (100_000, Fleet("4 workers x 16", 4, 16)),
    (100_000, Fleet("4 workers x 16, Sandbox", 4, 16, environment="sandbox")),
    (200_000, Fleet("8 workers x 32", 8, 32)),
    (1_000_000, Fleet("4 web, 16 workers x 32", 16, 32, web=4)),
    (1_000_000, Fleet("the same, limits x 20", 16, 32, web=4, limit_times=20)),
)


class Demand(NamedTuple):
    """What an Item causes a day, and how its rows are late where nothing has to wait."""

    runs: float
    scheduled: float
    deliveries: float
    calls: dict[str, float]
    delay_p50: float
    delay_p99: float
    states: list[tuple[float, float]]
    """In how many seconds each of some Items is due, and to be looked at."""

    @property
    def calls_in_all(self) -> float:
        """All calls to Plaid."""
        return sum(self.calls.values())


class Grown(NamedTuple):
    """How a fleet fared. Rates are those of the busiest hour, shares are of 1."""

    items: int
    fleet: Fleet
    runs_a_second: float
    slots: float
    interpreters: float
    web: float
    cores: float
    commits_a_second: float
    calls_a_minute: dict[str, float]
    delay_p50: float
    delay_p99: float
    falls_behind: bool


def demand(webhooks: int = WEBHOOKS) -> Demand:
    """Let some Items live for a day, after one in which they settle; no machine holds them up."""
    random.seed(1)
    items = [
        SimulatedItem(random.uniform(0, SYNC_SECONDS), random.uniform(0, CHECK_SECONDS))  # noqa: S311 - a simulation
        for _ in range(_SAMPLE)
    ]
    life = Life(Fleet("free", 1, 10**6), FREE, items, webhooks)
    life.live(DAY_SECONDS, busiest=1)
    before = _counted(life)
    life.live(DAY_SECONDS, busiest=1)
    runs, scheduled, deliveries, *calls = (
        (now - then) / _SAMPLE for now, then in zip(_counted(life), before, strict=True)
    )
    at = life.timeline.now
    return Demand(
        runs,
        scheduled,
        deliveries,
        dict(zip(CALLS, calls, strict=True)),
        *_percentiles(life.delays_seconds),
        [(item.due_at - at, item.check_at - at) for item in items if item.due_at < math.inf],
    )


def _counted(life: Life) -> list[float]:
    return [life.runs, life.scheduled, life.deliveries, *life.gate.sent.values()]


def _percentiles(delays: list[float]) -> tuple[float, float]:
    return statistics.median(delays), statistics.quantiles(delays, n=100)[98]


def grow(items: int, fleet: Fleet, costs: Costs, usual: Demand) -> Grown:
    """Let a fleet live through a part of the busiest hour: long enough for some thousand updates."""
    busiest = assumptions.BUSIEST_HOUR.value
    a_second = busiest * items * assumptions.UPDATES_A_DAY.value / DAY_SECONDS
    seconds = min(max(_UPDATES / a_second, _SECONDS_MIN), DAY_SECONDS)
    chance = random.Random(1)  # noqa: S311 - a simulation
    states = [SimulatedItem(*state) for state in usual.states]
    life = Life(fleet, costs, [replace(chance.choice(states)) for _ in range(items)], WEBHOOKS)
    life.live(seconds / 4, busiest)
    before, taken, commits = _counted(life), _taken(life), life.machines.commits
    life.delays_seconds.clear()
    life.live(seconds, busiest)
    runs, _, _, *calls = (now - then for now, then in zip(_counted(life), before, strict=True))
    slots, interpreters, web, cores = (
        (now - then) / seconds for now, then in zip(_taken(life), taken, strict=True)
    )
    return Grown(
        items,
        fleet,
        runs / seconds,
        slots,
        interpreters,
        web,
        cores,
        (life.machines.commits - commits) / seconds,
        {path: 60 * each / seconds for path, each in zip(CALLS, calls, strict=True)},
        *_percentiles(life.delays_seconds),
        falls_behind=life.late(_LATE_SECONDS) > _LATE_SHARE * life.updates,
    )


def _taken(life: Life) -> list[float]:
    """Return the taken seconds of each kind of station, by place."""
    machines = life.machines
    workers = statistics.mean(map(_by_place, machines.interpreters))
    others = (machines.slots, machines.web, machines.cores)
    slots, web, cores = map(_by_place, others)
    return [slots, workers, web, cores]


def _by_place(station: Station) -> float:
    return station.taken_seconds() / station.places

"""What a simulated Bankloom is made of: Items as their rows have them, and machines with their stations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import assumptions
from annotated_types import Le
from stations import Station, Steps, Timeline

from bankloom.core.settings import Settings
from bankloom.services.rate_limits import Limit

if TYPE_CHECKING:
    from bankloom.services.rate_limits import Environment, RateLimits

ITEM_GET, ACCOUNTS_GET, SYNC = "/item/get", "/accounts/get", "/transactions/sync"
CALLS = (SYNC, ACCOUNTS_GET, ITEM_GET)
"""The calls of a run that is no Item's first, the one with the lowest limit first."""


class Costs(NamedTuple):
    """Processor seconds, but for `commit_seconds`, which passes on the wall.

    A call's share is that of a run divided by its calls. Commits are those that write; a savepoint
    that writes counts as one.
    """

    worker_seconds_a_call: float
    database_seconds_a_call: float
    commits_a_call: float
    web_seconds_a_delivery: float
    database_seconds_a_delivery: float
    commits_a_delivery: float
    database_seconds_a_fetch: float
    commit_seconds: float


FREE = Costs(0, 0, 0, 0, 0, 0, 0, 0)
"""Machines that hold nobody up."""


class Fleet(NamedTuple):
    """What runs where. `machine_cores`: all of it on one machine; 0: a core for each process."""

    name: str
    processes: int
    slots: int
    web: int = 1
    machine_cores: int = 0
    environment: Environment = "production"
    limit_times: int = 1
    """How often Plaid's published limits it may use: as one of many clients would, or by agreement."""


_CONCURRENCY = Settings.model_fields["worker_concurrency"]
SLOTS = int(_CONCURRENCY.default)
SLOTS_MAX = next(int(str(each.le)) for each in _CONCURRENCY.metadata if isinstance(each, Le))
"""Slots of a process: by default, and the most."""

ONE_MACHINE = Fleet(f"one machine, {SLOTS} slots", processes=1, slots=SLOTS, machine_cores=2)


@dataclass(slots=True)
class SimulatedItem:
    """An Item; instants are in seconds of the timeline. Under a run's lease `due_at` is infinite."""

    due_at: float
    check_at: float
    pulled_at: float = -math.inf
    bank_at: float = -math.inf
    cooling_until: float = -math.inf
    queued: bool = False
    running: bool = False
    updates: tuple[float, ...] = ()
    """When Plaid found what is not stored yet."""

    @property
    def due_or_check_at(self) -> float:
        """When there is something to do next."""
        return min(self.due_at, self.check_at)


class CooledError(Exception):
    """The budget is used up for longer than a call waits in place; `until` says how long."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


def calls_of(*, is_due: bool, asks: bool) -> tuple[str, ...]:
    """Return the calls of a run in order. An update of an Item that is polled fits into one page."""
    asking = (ITEM_GET,) if asks else ()
    return (*asking, ACCOUNTS_GET, SYNC) if is_due else (*asking, ACCOUNTS_GET)


class Gate:
    """The arithmetic of the real gate's one statement, for the limits of the client."""

    def __init__(self, limits: RateLimits, times: int) -> None:
        published = ((path, limits[path].client) for path in CALLS if path in limits)
        self._limits = {path: Limit(times * calls) for path, calls in published if calls}
        self._free_at = dict.fromkeys(self._limits, 0.0)
        self.sent = dict.fromkeys(CALLS, 0)

    def spend(self, path: str, now: float) -> float:
        """Spend a call or nothing; return in how many seconds to ask again, 0 if it may leave."""
        if limit := self._limits.get(path):
            slack = (limit.burst - 1) * limit.step_seconds
            if (seconds := self._free_at[path] - slack - now) > 0:
                return seconds
            self._free_at[path] = max(self._free_at[path], now) + limit.step_seconds
        self.sent[path] += 1
        return 0.0


class Machines:
    """The stations of a fleet, and what its processors and its database did."""

    def __init__(self, timeline: Timeline, fleet: Fleet, costs: Costs) -> None:
        self._costs = costs
        self._commit_seconds = (
            costs.commit_seconds if fleet.machine_cores else assumptions.SERVER_COMMIT_SECONDS.value
        )
        self._watch_seconds = (fleet.processes - 1) * costs.database_seconds_a_fetch
        self.slots = Station(timeline, fleet.processes * fleet.slots)
        self.interpreters = [Station(timeline, 1) for _ in range(fleet.processes)]
        """Python runs one thread of a process at a time."""
        self.web = self.interpreters[0] if fleet.machine_cores else Station(timeline, fleet.web)
        """On one machine `serve` does both; else all the web processes, whoever of them is free."""
        self.cores = Station(timeline, fleet.machine_cores or int(assumptions.DATABASE_CORES.value))
        self._python_cores = [self.cores] if fleet.machine_cores else []
        self.commits = 0.0

    def call_answered(self, interpreter: Station) -> Steps:
        """Do a call's share of a run."""
        costs = self._costs
        yield from _hold([interpreter, *self._python_cores], costs.worker_seconds_a_call)
        yield from self._database(costs.database_seconds_a_call, costs.commits_a_call)

    def delivery_taken(self) -> Steps:
        """Take a webhook in."""
        costs = self._costs
        yield from _hold([self.web, *self._python_cores], costs.web_seconds_a_delivery)
        yield from self._database(costs.database_seconds_a_delivery, costs.commits_a_delivery)

    def job_watched(self) -> Steps:
        """Let every other process look in vain for a job that one of them has."""
        if self._watch_seconds:
            yield from _hold([self.cores], self._watch_seconds)

    def _database(self, seconds: float, commits: float) -> Steps:
        yield from _hold([self.cores], seconds)
        yield commits * self._commit_seconds
        self.commits += commits


def _hold(stations: list[Station], seconds: float) -> Steps:
    for station in stations:
        yield station
    yield seconds
    for station in stations:
        station.leave()

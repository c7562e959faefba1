"""Lets simulated Items live: Plaid finds something, webhooks come, ticks and jobs do what ours do."""

from __future__ import annotations

import heapq
import math
import random
from typing import TYPE_CHECKING

import assumptions
from fleet import ITEM_GET, SYNC, CooledError, Gate, Machines, SimulatedItem, calls_of
from stations import Timeline

from bankloom.core.settings import Settings
from bankloom.services import rate_limits, schedules
from bankloom.services.plaid_budget import JITTER_SECONDS, WAIT_IN_PLACE_SECONDS
from bankloom.services.retry_policy import jittered
from bankloom.services.tasks import TICK_SECONDS
from bankloom.services.tick import DUE_ITEMS_MAX
from bankloom.worker import POLL_SECONDS

if TYPE_CHECKING:
    from fleet import Costs, Fleet
    from stations import Station, Steps

SYNC_SECONDS = float(Settings.model_fields["sync_interval_seconds"].default)
CHECK_SECONDS = float(Settings.model_fields["check_interval_seconds"].default)
DAY_SECONDS = float(schedules.DAY_SECONDS)
_ALONG_SECONDS = schedules.CHECKED_ALONG * CHECK_SECONDS
_SEED = 1


class Life:
    """Some Items over a fleet, healthy and with their history stored; the same one each time.

    `webhooks` is how many tell of one update.
    """

    def __init__(
        self, fleet: Fleet, costs: Costs, items: list[SimulatedItem], webhooks: int
    ) -> None:
        random.seed(_SEED)  # the service's own jitter is used, and that is where it draws from
        self._chance = random.Random(_SEED)  # noqa: S311 - a simulation guards nothing
        self.timeline = Timeline()
        self.machines = Machines(self.timeline, fleet, costs)
        self.gate = Gate(rate_limits.read(None, fleet.environment), fleet.limit_times)
        self.items = items
        self.delays_seconds: list[float] = []
        self.runs = self.scheduled = self.deliveries = self.updates = 0
        self._webhooks = webhooks
        self._due = [(item.due_or_check_at, number) for number, item in enumerate(items)]
        heapq.heapify(self._due)
        self.timeline.after(0, self._ticks())

    def live(self, seconds: float, busiest: float) -> None:
        """Let time pass, with so many times the mean of updates."""
        a_second = busiest * len(self.items) * assumptions.UPDATES_A_DAY.value / DAY_SECONDS
        until = self.timeline.now + seconds
        self.timeline.after(0, self._updates(a_second, until))
        self.timeline.run_until(until)

    def late(self, seconds: float) -> int:
        """Count the updates that came longer ago than this and are not stored."""
        before = self.timeline.now - seconds
        return sum(at < before for item in self.items for at in item.updates)

    def _updates(self, a_second: float, until: float) -> Steps:
        """Let Plaid find something new for one Item after the other, at random."""
        while (wait := self._chance.expovariate(a_second)) + self.timeline.now < until:
            yield wait
            self.updates += 1
            number = self._chance.randrange(len(self.items))
            item = self.items[number]
            item.bank_at = self.timeline.now
            item.updates += (self.timeline.now,)
            for webhook in range(self._webhooks):
                later = self._chance.uniform(0, assumptions.WEBHOOKS_WITHIN_SECONDS.value)
                self.timeline.after(later if webhook else 0, self._deliver(number))

    def _deliver(self, number: int) -> Steps:
        self.deliveries += 1
        yield from self.machines.delivery_taken()
        self.items[number].due_at = self.timeline.now
        self._queue(number)

    def _ticks(self) -> Steps:
        """Queue what is due, as many as a tick may; the rest waits for the next one."""
        while True:
            for _ in range(DUE_ITEMS_MAX):
                if not self._due or self._due[0][0] > self.timeline.now:
                    break
                _, number = heapq.heappop(self._due)
                if self.items[number].due_or_check_at <= self.timeline.now:
                    self.scheduled += not self.items[number].queued
                    self._queue(number)
            yield TICK_SECONDS

    def _queue(self, number: int) -> None:
        """Queue the Item unless it waits already; where it runs, its job waits for the end."""
        item = self.items[number]
        if item.queued:
            return
        item.queued = True
        self.timeline.after(0, self.machines.job_watched())
        if not item.running:
            self.timeline.after(0, self._job(number))

    def _job(self, number: int) -> Steps:
        item = self.items[number]
        yield self.machines.slots
        item.queued, item.running = False, True
        try:
            yield from self._run(number, item)
        except CooledError as cooled:
            self._cool(number, item, cooled.until)
        self.machines.slots.leave()
        item.running = False
        heapq.heappush(self._due, (item.due_or_check_at, number))
        if item.queued:
            self.timeline.after(self._chance.uniform(0, POLL_SECONDS), self._job(number))

    def _run(self, number: int, item: SimulatedItem) -> Steps:
        """Do what is due of the Item; its rows are there with the end of the last call's share."""
        now = self.timeline.now
        if item.cooling_until > now:
            raise CooledError(item.cooling_until)
        is_due = item.due_at <= now
        if not is_due and item.check_at > now:
            return
        self.runs += 1
        if is_due:
            item.due_at = math.inf  # the lease: what a webhook writes over it stands
        interpreter = self._chance.choice(self.machines.interpreters)
        for path in calls_of(is_due=is_due, asks=item.check_at <= now + _ALONG_SECONDS):
            yield from self._call(path, item, interpreter)
            if path == ITEM_GET:
                self._checked(number, item, is_due=is_due)
        if is_due:
            item.pulled_at = self.timeline.now
            item.due_at = min(item.due_at, self.timeline.now + jittered(SYNC_SECONDS))

    def _call(self, path: str, item: SimulatedItem, interpreter: Station) -> Steps:
        """Wait for the budget as the gate does, then for Plaid, and store what it answered."""
        deadline = self.timeline.now + WAIT_IN_PLACE_SECONDS
        while wait := self.gate.spend(path, self.timeline.now):
            if self.timeline.now + wait > deadline:
                raise CooledError(self.timeline.now + wait)
            yield wait + self._chance.uniform(0, JITTER_SECONDS)
        told: tuple[float, ...] = ()
        if path == SYNC:
            told, item.updates = item.updates, ()
        median = math.log(assumptions.PLAID_SECONDS.value)
        yield self._chance.lognormvariate(median, assumptions.PLAID_SECONDS_SPREAD)
        yield from self.machines.call_answered(interpreter)
        self.delays_seconds += (self.timeline.now - at for at in told)

    def _checked(self, number: int, item: SimulatedItem, *, is_due: bool) -> None:
        """Plan the next look; where the bank was read after our last pull, ask for another run."""
        item.check_at = self.timeline.now + jittered(CHECK_SECONDS)
        if not is_due and item.bank_at > item.pulled_at:
            item.due_at = self.timeline.now
            self._queue(number)

    def _cool(self, number: int, item: SimulatedItem, until: float) -> None:
        """Let nothing of the Item be due before; it is woken if that is before the next tick."""
        item.cooling_until = until
        item.due_at = until if item.due_at == math.inf else max(until, item.due_at)
        item.check_at = max(until, item.check_at)
        if until - self.timeline.now < TICK_SECONDS:
            self.timeline.after(until - self.timeline.now, self._wake(number))

    def _wake(self, number: int) -> Steps:
        self._queue(number)
        yield 0

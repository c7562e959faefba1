"""The simulation behind docs/scaling.md: its stations, its gate, and what its Items live through."""

from __future__ import annotations

import pytest
import scaling
from fleet import ACCOUNTS_GET, CALLS, FREE, SYNC, Costs, Fleet, Gate, SimulatedItem
from life import CHECK_SECONDS, SYNC_SECONDS, Life
from stations import Station, Steps, Timeline

from bankloom.services import rate_limits
from bankloom.services.retry_policy import jittered

FREELY = Fleet("free", 1, 10**6)
DEAR = Costs(0.02, 0.005, 5, 0.005, 0.002, 2, 0.0001, 0.002)
LATER = 10**6


def a_life(*, webhooks: int = 1, fleet: Fleet = FREELY, costs: Costs = FREE) -> Life:
    """Return the life of one Item that is not due for long."""
    return Life(fleet, costs, [SimulatedItem(LATER, LATER)], webhooks)


def test_a_station_serves_in_turn_and_counts_its_time() -> None:
    """With one place the second waits for the first; taken is what was held, not what was waited."""
    timeline, left = Timeline(), []
    station = Station(timeline, 1)

    def guest(name: str) -> Steps:
        yield station
        yield 2.0
        station.leave()
        left.append((name, timeline.now))

    for name in ("first", "second"):
        timeline.after(0, guest(name))
    timeline.run_until(10)
    assert left == [("first", 2.0), ("second", 4.0)]
    assert station.taken_seconds() == 4.0


@pytest.mark.parametrize("path", CALLS)
def test_the_gate_keeps_every_minute_within_the_limit(path: str) -> None:
    """However often it is asked, no minute sees more calls than Plaid takes, nor much less."""
    limits = rate_limits.read(None, "production")
    limit = limits[path].client or 0
    gate, now, sent = Gate(limits, 1), 0.0, list[float]()
    while now < 300:
        if wait := gate.spend(path, now):
            now += wait + 1e-9
        else:
            sent.append(now)
    busiest = max(later - earlier for earlier, later in _windows(sent, seconds=60))
    assert 0.9 * limit < busiest <= limit


def _windows(instants: list[float], seconds: float) -> list[tuple[int, int]]:
    """Return for each instant the positions where its window begins and ends."""
    windows, end = [], 0
    for begin, at in enumerate(instants):
        while end < len(instants) and instants[end] < at + seconds:
            end += 1
        windows.append((begin, end))
    return windows


def test_webhooks_that_come_while_an_item_waits_are_one_run() -> None:
    """One runs, one waits, and further ones join the one that waits."""
    life = a_life()
    for _ in range(5):
        life.timeline.after(0, life._deliver(0))
    life.timeline.run_until(60)
    assert (life.deliveries, life.runs) == (5, 2)


def test_a_webhook_during_a_run_causes_one_more() -> None:
    """What a webhook writes over a run's lease stands when the run settles."""
    life = a_life(costs=DEAR)
    life.timeline.after(0, life._deliver(0))
    life.timeline.after(0.1, life._deliver(0))
    life.timeline.run_until(60)
    assert life.runs == life.gate.sent[SYNC] == 2


def test_every_update_is_stored_by_polling_alone() -> None:
    """Without webhooks no update waits longer than the longest interval."""
    items = [SimulatedItem(jittered(SYNC_SECONDS), jittered(CHECK_SECONDS)) for _ in range(50)]
    life = Life(FREELY, FREE, items, webhooks=0)
    life.live(2 * 86_400, busiest=1)
    assert life.updates > 300
    assert life.late(1.25 * SYNC_SECONDS + 60) == 0
    assert len(life.delays_seconds) > 300


def test_an_item_that_finds_no_budget_cools_and_is_stored_later() -> None:
    """A used-up limit delays an update and loses none; its call is not sent meanwhile."""
    life = a_life()
    limit = rate_limits.Limit(rate_limits.read(None, "production")[SYNC].client or 0)
    life.gate._free_at[SYNC] = 30 + limit.burst * limit.step_seconds
    life.items[0].updates = (0.0,)
    life.timeline.after(0, life._deliver(0))
    life.timeline.run_until(20)
    assert (life.gate.sent[SYNC], life.gate.sent[ACCOUNTS_GET]) == (0, 1)
    life.timeline.run_until(120)
    assert life.gate.sent[SYNC] == 1
    assert life.late(0) == 0


def test_a_fleet_fares_the_same_each_time() -> None:
    """The seed decides; a fleet that is too small falls behind, and a larger one does not."""
    usual = scaling.demand()
    small, again = (scaling.grow(30_000, FREELY._replace(slots=2), DEAR, usual) for _ in range(2))
    assert small == again
    assert small.falls_behind
    assert not scaling.grow(30_000, FREELY._replace(slots=64), DEAR, usual).falls_behind

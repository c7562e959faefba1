"""Many webhooks at once, and at the worst moments: each is answered by a run that began after it."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from bankloom.models import Item
from bankloom.services import fence, request_run, tasks
from harness import serving, settings_for, wait_until
from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    background,
    holding,
    linked,
    never,
    query,
)
from workers import ask_for_run, jobs_of, runs, settle, store_item, workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ITEMS = 100
DELIVERIES_EACH = 10
BURST_SECONDS_MAX = 100  # a few on a machine that does nothing else


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service, which the bank sends webhooks to."""
    with serving(settings, gets_webhooks=True) as running_service:
        yield running_service


def tell(bank: Running, runtime: Runtime, item_id: str, count: int = 1) -> None:
    """Have the bank sign and send so many deliveries of one webhook."""
    body = {
        "webhook_type": "TRANSACTIONS",
        "webhook_code": "SYNC_UPDATES_AVAILABLE",
        "environment": "sandbox",
        "item_id": item_id,
        "initial_update_complete": True,
        "historical_update_complete": True,
    }
    bank.control.send_webhook(body, url=runtime.settings.webhook_url, count=count)


def received(runtime: Runtime) -> int:
    """Return how many deliveries are stored."""
    return len(query(runtime, "SELECT FROM webhook_deliveries"))


@pytest.mark.timeout(2 * BURST_SECONDS_MAX)
def test_a_burst_is_two_runs_an_item(
    bank: Running, embedded_database_url: str, tmp_path: Path
) -> None:
    """A thousand deliveries for a hundred Items whose runs are in their middle: one run more for each."""
    settings = settings_for(
        bank.url, embedded_database_url, tmp_path / "data", worker_concurrency=ITEMS // 2
    )
    with (
        serving(settings, with_worker=False, gets_webhooks=True) as (api, runtime),
        workers(runtime, tmp_path, 2),
        holding(bank, SYNC_PATH, times=ITEMS) as hold,
    ):
        items = [store_item(runtime, bank) for _ in range(ITEMS)]
        for item_id in items:
            tell(bank, runtime, item_id)
        wait_until(lambda: bank.control.faults()[0]["held"] == ITEMS, BURST_SECONDS_MAX)
        bank.control.hold_webhooks()
        for item_id in items:
            bank.control.changes(item_id, added=[{"amount": 1}, {"amount": 2}])
            tell(bank, runtime, item_id, DELIVERIES_EACH - 1)
        bank.control.release_webhooks()
        wait_until(lambda: set(bank.control.webhook_states()) == {"delivered"}, BURST_SECONDS_MAX)
        assert received(runtime) == bank.control.webhook_states()["delivered"]
        assert received(runtime) >= ITEMS * DELIVERIES_EACH
        assert not query(runtime, "SELECT FROM sync_runs WHERE finished_at IS NOT NULL")
        hold.release()
        wait_until(lambda: not jobs_of(runtime), BURST_SECONDS_MAX)
        ended = {item_id: sorted(runs(runtime, item_id)) for item_id in items}
        assert all(len(each) == 2 for each in ended.values()), ended
        assert len(bank.control.calls(SYNC_PATH)) == 2 * ITEMS
        for item_id in items:
            assert_equals_ledger(api, bank, item_id)


def test_a_webhook_at_any_moment_of_a_run_causes_one_more(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Wherever in a run it comes, a run begins after it; and no two runs of an Item are ever at once."""
    items = [linked(api, bank, f"person {number}") for number in range(6)]
    settle(runtime)
    bank.control.fault(SYNC_PATH, times=0, delay_seconds=0.04)

    def change(item_id: str) -> None:
        for _ in range(12):
            time.sleep(random.uniform(0, 0.15))  # noqa: S311 - any moment
            bank.control.changes(item_id, added=[{"amount": 1}])

    with ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(change, items))
    wait_until(lambda: set(bank.control.webhook_states()) == {"delivered"})
    settle(runtime)
    for item_id in items:
        assert_equals_ledger(api, bank, item_id)
    assert query(runtime, UNANSWERED) == []
    assert query(runtime, OVERLAPPING) == []


UNANSWERED = """
    SELECT webhook_code, received_at FROM webhook_deliveries d WHERE NOT EXISTS (
        SELECT FROM sync_runs r WHERE r.item_id = d.item_id AND r.started_at >= d.received_at
    )
"""
OVERLAPPING = """
    SELECT a.id, b.id FROM sync_runs a JOIN sync_runs b USING (item_id)
    WHERE a.id <> b.id AND a.started_at <= b.started_at AND b.started_at < a.finished_at
"""


ADVISORY = "advisory"
"""How PostgreSQL calls waiting for an Item's set of tags."""


def waits_for_a_lock(runtime: Runtime, words: str) -> bool:
    """Say whether a statement with these words, or of this kind, waits for somebody's lock."""
    sql = """
        SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database() AND (position(:words in query) > 0 OR wait_event = :words)
    """
    return bool(query(runtime, sql, words=words))


def lock(session: Session, statement: str, **params: Any) -> None:
    """Lock what the statement selects until the session ends."""
    assert session.execute(text(f"{statement} FOR UPDATE"), params).all() != []


def assert_served_within_a_tick(runtime: Runtime, item_id: str, count: int) -> None:
    """So many runs of the Item end, before the next tick but one could have mended anything."""
    started = time.monotonic()
    wait_until(
        lambda: sum(each in {"synced", "up_to_date"} for each in runs(runtime, item_id)) == count
    )
    assert time.monotonic() - started < tasks.TICK_SECONDS
    settle(runtime)
    assert len(runs(runtime, item_id)) == count


def test_a_request_between_the_reading_and_the_commit_of_a_beginning(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A run that has read what is due, and not committed that, leaves a request of then to the next."""
    item_id = linked(api, bank)
    settle(runtime)
    before = len(runs(runtime, item_id))
    with background() as start:
        with runtime.database.session() as held:
            with runtime.database.session() as first:
                Item.lock(first, item_id)
                ask_for_run(runtime, item_id)
                wait_until(lambda: waits_for_a_lock(runtime, "SELECT bankloom.items."))
                lock(held, "SELECT FROM sync_runs WHERE status = 'queued'")
            wait_until(lambda: waits_for_a_lock(runtime, "INTO bankloom.sync_runs"))
            late = start(ask_for_run, runtime, item_id)
            wait_until(lambda: waits_for_a_lock(runtime, ADVISORY))
        late.result()
    assert_served_within_a_tick(runtime, item_id, before + 2)


def test_a_request_between_the_end_of_a_run_and_that_of_its_job(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """While the engine has not noted the end of a job, a request waits behind it, and is not lost."""
    item_id = linked(api, bank)
    settle(runtime)
    before = len(runs(runtime, item_id))
    with runtime.database.session() as held:
        with holding(bank, SYNC_PATH) as hold:
            ask_for_run(runtime, item_id)
            hold.reached()
            lock(held, "SELECT FROM procrastinate_jobs WHERE lock = :item_id", item_id=item_id)
        wait_until(lambda: waits_for_a_lock(runtime, "procrastinate_finish_job"))
        ask_for_run(runtime, item_id)
        assert [job.status for job in jobs_of(runtime)] == ["doing", "todo"]
    assert_served_within_a_tick(runtime, item_id, before + 2)


def test_a_request_that_is_being_committed_is_that_of_the_run_that_begins(
    runtime: Runtime, bank: Running
) -> None:
    """The waiting job does its work too: it begins after the commit, and knows of its wish."""
    item_id = store_item(runtime, bank)
    with background() as start:
        with runtime.database.session() as session:
            request_run.request(session, item_id, "webhook", asks_item=True)
            beginning = start(fence.begin, runtime, item_id, never)
            wait_until(lambda: waits_for_a_lock(runtime, ADVISORY))
        run = beginning.result()
    assert run is not None
    assert run.asks_item
    assert run.trigger == "webhook"

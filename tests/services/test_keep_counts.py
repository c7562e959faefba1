"""The counts of all processes: added up in one table, which no crash and no restart empties."""

from __future__ import annotations

import dataclasses
import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import ProgrammingError

from bankloom.core.counting import Counts
from bankloom.models import Counter
from bankloom.services import keep_counts
from bankloom.services.counted import PLAID_CALLS, TRANSACTIONS, plaid_called
from harness import wait_until
from scenes import background, bank_account, person, purchases, query
from workers import ask_for_run, runs, store_item, workers

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


def another_process(runtime: Runtime) -> Runtime:
    """Return the same parts as another process has them, with counts of its own."""
    return dataclasses.replace(runtime, counts=Counts())


def counted(runtime: Runtime, name: str) -> dict[tuple[str, ...], float]:
    """Return what all processes have counted of a name, by its label values."""
    with runtime.database.session() as session:
        return {tuple(each.labels.values()): each.value for each in Counter.read(session, [name])}


def call(runtime: Runtime, *endpoints: str) -> None:
    """Count a call of each endpoint."""
    for endpoint in endpoints:
        plaid_called(runtime.counts, endpoint, "ok", 0.25)


def test_the_counts_of_two_processes_add_up(parts: Runtime) -> None:
    """Each adds what it has counted since its last time, to what the other has."""
    other = another_process(parts)
    call(parts, "/a", "/a", "/b")
    call(other, "/a")
    for process in (parts, other, parts, other):
        keep_counts.now(process)
    call(other, "/b")
    keep_counts.now(other)
    assert counted(parts, PLAID_CALLS.name) == {("/a", "ok"): 3, ("/b", "ok"): 2}


def keep_often(runtime: Runtime, endpoints: list[str]) -> None:
    for _ in range(100):
        call(runtime, *endpoints)
        keep_counts.now(runtime)


def test_processes_that_keep_at_once_lose_nothing(parts: Runtime) -> None:
    """Whatever order each has counted in: nobody waits in a ring, and every count is there."""
    endpoints = [f"/{number}" for number in range(20)]
    with background() as start:
        ends = [
            start(keep_often, another_process(parts), order)
            for order in (endpoints, endpoints[::-1], endpoints)
        ]
        for end in ends:
            end.result()
    assert counted(parts, PLAID_CALLS.name) == {(each, "ok"): 300 for each in endpoints}


def test_what_could_not_be_kept_is_kept_later(parts: Runtime) -> None:
    """While the table is not there the process counts on, and nothing of it is lost."""
    call(parts, "/a")
    query(parts, "ALTER TABLE counters RENAME TO away")
    with pytest.raises(ProgrammingError):
        keep_counts.now(parts)
    call(parts, "/a")
    query(parts, "ALTER TABLE away RENAME TO counters")
    keep_counts.now(parts)
    assert counted(parts, PLAID_CALLS.name) == {("/a", "ok"): 2}


def test_an_idle_process_writes_nothing(parts: Runtime) -> None:
    """Without anything new there is no statement, not even an empty one."""
    call(parts, "/a")
    keep_counts.now(parts)
    before = query(parts, "SELECT xmin::text FROM counters")
    keep_counts.now(parts)
    assert query(parts, "SELECT xmin::text FROM counters") == before


def item_of(parts: Runtime, bank: Running, purchases_made: int) -> str:
    return store_item(parts, bank, person(bank_account(transactions=purchases(purchases_made))))


def test_a_worker_that_leaves_keeps_its_counts(
    parts: Runtime, bank: Running, tmp_path: Path
) -> None:
    """What a worker did in the last moment before SIGTERM is counted when it is gone."""
    with workers(parts, tmp_path, 1) as (worker,):
        item_id = item_of(parts, bank, 7)
        ask_for_run(parts, item_id)
        wait_until(lambda: runs(parts, item_id) == ["synced"])
        worker.end(signal.SIGTERM)
    assert counted(parts, TRANSACTIONS.name) == {("added",): 7}


def test_killed_workers_lose_the_last_seconds_at_most(
    parts: Runtime, bank: Running, tmp_path: Path
) -> None:
    """The work of two workers is kept within seconds, stays when both are killed, and goes on."""
    with workers(parts, tmp_path, 2) as started:
        for number in (3, 4, 5):
            ask_for_run(parts, item_of(parts, bank, number))
        wait_until(
            lambda: counted(parts, TRANSACTIONS.name) == {("added",): 12},
            2 * keep_counts.EVERY_SECONDS + 20,
        )
        for worker in started:
            worker.end(signal.SIGKILL)
    call(parts, "/a")
    keep_counts.now(parts)
    assert counted(parts, TRANSACTIONS.name) == {("added",): 12}

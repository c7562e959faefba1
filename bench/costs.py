"""What a run and a delivery cost the processor and the database, and a row the disk: measured.

Processor seconds are those that the processes used, not those that passed: a busy machine makes them
more as well, but by far less.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import ours
import psutil
import psycopg
from children import in_child
from deliveries import flat_out
from fleet import Costs
from folders import new_folder
from idle import cpu_seconds, postmaster
from live import Bank, link, running_bank, running_service
from pages_server import access_token, serving_pages
from progress import say
from servers import running_server

from bankloom.core.db import Database
from bankloom.services.plaid_budget import Budget
from bankloom.services.plaid_client import PlaidClient
from bankloom.services.rate_limits import EndpointLimits
from bankloom.worker import WorkerThread
from platypus_bank.testing import Control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servers import Server

    from bankloom.services.runtime import Runtime

ITEMS = 100
ROUNDS = 4
CALLS_A_RUN = 2  # /accounts/get and /transactions/sync
DELIVERIES = 2 * ITEMS  # a third of them, warm-ups left out, are the first of their Item
ROWS = 100_000
_FETCHES = 2_000
_COMMITS = 200
_PAGES = 20
_RUNS_SECONDS_MAX = 120
_UNLIMITED = 10**6


class RowSize(NamedTuple):
    """Bytes of a stored transaction: of the table, of its indexes, and of Plaid's JSON in it."""

    table: float
    indexes: float
    payload: float


def measure() -> tuple[Costs, RowSize]:
    """Measure everything; it takes about a minute on two idle cores."""
    with running_server() as server:
        with running_bank() as bank, server.fresh_database() as database_url:
            costs = _costs(bank, database_url)
        return costs, _row_size(server)


class _Spent(NamedTuple):
    process_seconds: float
    database_seconds: float
    commits: float

    def a_piece(self, other: _Spent, pieces: int) -> _Spent:
        """Return what each of so many pieces cost that the other did without."""
        return _Spent(*((mine - its) / pieces for mine, its in zip(self, other, strict=True)))


def _costs(bank: Bank, database_url: str) -> Costs:
    with ours.opened(bank.url, database_url) as runtime:
        items = link(runtime, bank, ITEMS)
    in_child(_work, bank.url, database_url, items, 1)  # the first run of each describes the Item
    few, many = (
        _spent(database_url, lambda n=n: in_child(_work, bank.url, database_url, items, n).value)  # type: ignore[misc]  # mypy does not infer a lambda's default
        for n in (1, 1 + ROUNDS)
    )
    call = many.a_piece(few, ROUNDS * ITEMS * CALLS_A_RUN)
    say(f"a run: {1000 * CALLS_A_RUN * call.process_seconds:.1f} ms of a worker's processor")
    few, many = (
        _spent(database_url, lambda n=n: _deliver(bank, database_url, items, n))  # type: ignore[misc]  # as above
        for n in (0, DELIVERIES)
    )
    delivery = many.a_piece(few, DELIVERIES)
    say(f"a delivery: {1000 * delivery.process_seconds:.1f} ms of a web process's processor")
    return Costs(*call, *delivery, _fetch_seconds(database_url), _commit_seconds(database_url))


def _spent(database_url: str, work: Callable[[], float]) -> _Spent:
    """Do the work, which returns its own processor seconds."""
    server = [postmaster(database_url)]
    commits, seconds = _commits(database_url), cpu_seconds(server)
    own = work()
    return _Spent(own, cpu_seconds(server) - seconds, _commits(database_url) - commits)


def _commits(database_url: str) -> int:
    """Return the number of the next commit that writes: one that only reads is given none."""
    return int(_ask(database_url, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0])


def _ask(database_url: str, query: str) -> tuple[Any, ...]:
    with psycopg.connect(Database(database_url).conninfo) as connection:
        row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise RuntimeError(f"no row: {query}")
    return tuple(row)


def _work(bank_url: str, database_url: str, items: Sequence[str], rounds: int) -> float:
    """Let a worker run every Item, each round with a new transaction; return its processor seconds."""
    control, used = Control(bank_url), 0.0
    with ours.opened(bank_url, database_url) as opened, WorkerThread(_with_a_budget(opened)):
        for _ in range(rounds):
            for item in items:
                control.changes(item, added=[{}])
            started, seconds = time.monotonic(), time.process_time()
            ours.request_all(opened, items)
            while ours.all_ended_at(opened, items) is None:
                if time.monotonic() - started > _RUNS_SECONDS_MAX:
                    raise RuntimeError(f"the runs were not over after {_RUNS_SECONDS_MAX} s")
                time.sleep(0.1)
            used += time.process_time() - seconds
    return used


def _with_a_budget(runtime: Runtime) -> Runtime:
    """Let every call spend from a budget, as it does at Plaid, that never holds it back."""
    limit = EndpointLimits(_UNLIMITED, _UNLIMITED, _UNLIMITED)
    paths = ("/item/get", "/accounts/get", "/transactions/sync")
    budget = Budget(runtime.database, dict.fromkeys(paths, limit))
    plaid = PlaidClient(runtime.settings.plaid, budget)
    return replace(runtime, budget=budget, plaid=plaid)


def _deliver(bank: Bank, database_url: str, items: Sequence[str], count: int) -> float:
    """Deliver so many webhooks, and those that warm up, to a service without a worker."""
    with psycopg.connect(Database(database_url).conninfo) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")  # or none would have to be queued
    with (
        new_folder() as folder,
        running_service(bank, folder, "--no-worker", database_url=database_url) as service,
    ):
        process = [psutil.Process(service.pid)]
        seconds = cpu_seconds(process)
        in_child(flat_out, bank.key, service.url, items, count)
        return cpu_seconds(process) - seconds


def _fetch_seconds(database_url: str) -> float:
    """Return what it costs the database when a worker looks for a job and there is none."""
    with psycopg.connect(Database(database_url).conninfo, autocommit=True) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
        backend = [psutil.Process(connection.info.backend_pid)]
        seconds = cpu_seconds(backend)
        for _ in range(_FETCHES):
            connection.execute("SELECT procrastinate_fetch_job_v2(ARRAY['items']::varchar[], 1)")
        return (cpu_seconds(backend) - seconds) / _FETCHES


def _commit_seconds(database_url: str) -> float:
    with psycopg.connect(Database(database_url).conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_commits (number integer)")
        return statistics.median(_timed(connection, number) for number in range(_COMMITS))


def _timed(connection: psycopg.Connection[Any], number: int) -> float:
    started = time.perf_counter()
    connection.execute("INSERT INTO bench_commits VALUES (%s)", [number])
    return time.perf_counter() - started


def _row_size(server: Server) -> RowSize:
    """Return the bytes of a row of a history that was synced as any is."""
    with serving_pages(_PAGES) as url, server.fresh_database() as database_url:
        in_child(ours.ingest, url, database_url, access_token(ROWS))
        rows, table, indexes, payload = _ask(database_url, _SIZES)
    say(f"{rows:,} rows: {(table + indexes) / rows:,.0f} bytes each")
    return RowSize(table / rows, indexes / rows, float(payload))


_SIZES = """
    SELECT count(*), pg_table_size('transactions'), pg_indexes_size('transactions'),
        avg(length(payload)) FROM transactions
"""

"""How many Items a service syncs a second that have nothing new, beside the engine's empty jobs."""

from __future__ import annotations

import asyncio
import statistics
import time
from operator import truediv
from typing import TYPE_CHECKING

import ours
import procrastinate
from children import in_child
from figures import Figure
from folders import new_folder
from live import Bank, link, running_service
from progress import say

from bankloom.core.db import Database
from bankloom.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procrastinate.types import JSONDict
    from servers import Server

    from bankloom.services.runtime import Runtime

CONCURRENCY = int(Settings.model_fields["worker_concurrency"].default)
_QUEUE = "bench"
_SECONDS_MAX = 300
_LOOK_SECONDS = 0.02


def measure(bank: Bank, server: Server, rounds: int, items: int) -> Figure:
    """Return runs a second; each asks the emulator twice and commits what it learnt."""
    with (
        server.fresh_database() as database_url,
        new_folder() as folder,
        ours.opened(bank.url, database_url) as runtime,
    ):
        item_ids = link(runtime, bank, items)
        with running_service(bank, folder, database_url=database_url):
            _runs_a_second(runtime, item_ids)  # the first of each describes the Item
            pairs = [
                (
                    _runs_a_second(runtime, item_ids),
                    in_child(_empty_jobs_a_second, database_url, 5 * items).value,
                )
                for _ in range(rounds)
            ]
    runs, empty = zip(*pairs, strict=True)
    rate, reference = statistics.median(runs), statistics.median(empty)
    say(f"jobs: {rate:,.0f} runs a second; {reference:,.0f} empty jobs")
    return Figure(
        "jobs_per_second", rate, "jobs/s", reference, statistics.median(map(truediv, runs, empty))
    )


def _runs_a_second(runtime: Runtime, item_ids: Sequence[str]) -> float:
    ours.request_all(runtime, item_ids)
    started = time.time()
    while (ended := ours.all_ended_at(runtime, item_ids)) is None:
        if time.time() - started > _SECONDS_MAX:
            raise RuntimeError(f"the runs were not over after {_SECONDS_MAX} s")
        time.sleep(_LOOK_SECONDS)
    return len(item_ids) / (ended - started)


def _empty_jobs_a_second(database_url: str, count: int) -> float:
    return asyncio.run(_empty_jobs(database_url, count))


async def _empty_jobs(database_url: str, count: int) -> float:
    """Let the engine run jobs that do nothing, in threads as ours do."""
    conninfo = Database(database_url).conninfo
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))

    @app.task(name="nothing", queue=_QUEUE)
    def nothing(number: int) -> None:
        """Do nothing."""

    async with app.open_async():
        numbered: list[JSONDict] = [{"number": number} for number in range(count)]
        await nothing.batch_defer_async(*numbered)
        started = time.perf_counter()
        await app.run_worker_async(
            queues=[_QUEUE],
            concurrency=CONCURRENCY,
            wait=False,
            delete_jobs="always",
            install_signal_handlers=False,
        )
        return count / (time.perf_counter() - started)

"""What the whole service takes while nothing happens: processor and memory, its database included."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
from bare import running_bare
from figures import Figure
from folders import new_folder
from live import API_KEY, Bank, public_token, running_service
from progress import say

from bankloom.core.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servers import Server

CPU_PERCENT_PROMISED = 5.0
_SETTLE_SECONDS = 5.0
_LINKED_SECONDS_MAX = 60


def measure(bank: Bank, server: Server, items: int, seconds: float) -> list[Figure]:
    """Return percent of one core, and MiB: those of a bare FastAPI app and an idle server are beside.

    Memory that processes share is counted once (proportional set size).
    """
    with (
        new_folder() as made,
        running_service(bank, made) as service,
    ):
        _link(service.url, bank, items)
        time.sleep(min(seconds, _SETTLE_SECONDS))
        with EmbeddedPostgres(made / "postgres") as embedded:
            database = postmaster(embedded.url)
        whole = [psutil.Process(service.pid), database]
        percent = _cpu_percent(whole, seconds)
        mib = _mib(whole)
    with running_bare(bank.key) as bare, server.fresh_database() as database_url:
        bare_mib = _mib([psutil.Process(bare.pid), postmaster(database_url)])
    say(f"idle: {percent:.2f} % of a core, {mib:.0f} MiB")
    return [
        Figure(
            "idle_cpu_percent", percent, "%", CPU_PERCENT_PROMISED, percent / CPU_PERCENT_PROMISED
        ),
        Figure("idle_rss_mib", mib, "MiB", bare_mib, mib / bare_mib),
    ]


def _link(url: str, bank: Bank, count: int) -> None:
    """Link Items as an app does, and wait until their first syncs are over."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as api:
        for _ in range(count):
            body = {"public_token": public_token(bank), "product": "transactions", "user_id": "ada"}
            api.post("/plaid/exchange", json=body).raise_for_status()
        deadline = time.monotonic() + _LINKED_SECONDS_MAX
        while not all(
            tag["state"] == "ready"
            for item in api.get("/plaid/items").raise_for_status().json()
            for tag in item["products"]
        ):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the Items were not ready after {_LINKED_SECONDS_MAX} s")
            time.sleep(0.1)


def postmaster(url: str) -> psutil.Process:
    """Return the process that all of a server's others come from."""
    with psycopg.connect(url) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        parent = backend.parent()
    if parent is None:
        raise RuntimeError("the server ended")
    return parent


def _cpu_percent(roots: list[psutil.Process], seconds: float) -> float:
    before, started = cpu_seconds(roots), time.perf_counter()
    time.sleep(seconds)
    return 100 * (cpu_seconds(roots) - before) / (time.perf_counter() - started)


def cpu_seconds(roots: list[psutil.Process]) -> float:
    """Return what the processes have used, and those of their children that are gone."""
    return sum(sum(each.cpu_times()[:4]) for each in _tree(roots))


def _mib(roots: list[psutil.Process]) -> float:
    infos = (each.memory_full_info() for each in _tree(roots))
    return sum(getattr(info, "pss", info.uss) for info in infos) / 2**20


def _tree(roots: list[psutil.Process]) -> Iterable[psutil.Process]:
    for root in roots:
        yield root
        yield from root.children(recursive=True)

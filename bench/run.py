"""`make bench`: every ratio that we promise, against named references, measured in one run.

First the service as a process over the emulator: idle, at its jobs, and taking webhooks in. Then
its parts: every side reads the same bytes over loopback HTTP, pages that the emulator wrote, served
by a process of its own. Every side writes to the same server, the embedded one with its default
durability. The table goes to stdout and the figures to build/bench.json; `--quick` is a smoke
test that measures too little to mean anything, and writes build/bench-quick.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import backfill
import emulator
import idle
import ingest
import jobs
import statements
import webhooks
from figures import show, write
from live import running_bank
from pages_server import milliseconds_per_page, serving_pages
from progress import say
from recording import PAGE_ROWS
from servers import running_server

if TYPE_CHECKING:
    from figures import Figure
    from servers import Server

BUILD = Path(__file__).parent.parent / "build"


class Plan(NamedTuple):
    """How much is measured."""

    file: str
    pages: int
    rounds: int
    typical_rows: int
    backfills: tuple[int, int, int]
    updates: int
    idle_items: int
    idle_seconds: float
    job_items: int
    webhooks: webhooks.Plan
    emulator_rows: int
    emulator_items: int


FULL = Plan(
    file="bench.json",
    pages=100,
    rounds=5,
    typical_rows=2_000,
    backfills=(10_000, 100_000, 1_000_000),
    updates=100,
    idle_items=10,
    idle_seconds=60,
    job_items=100,
    webhooks=webhooks.Plan(
        rounds=3, steady=1_000, flat_out=2_000, backfill_rows=75_000, to_rows=205
    ),
    emulator_rows=1_000_000,
    emulator_items=10_000,
)
QUICK = Plan(
    file="bench-quick.json",
    pages=30,
    rounds=1,
    typical_rows=500,
    backfills=(1_000, 5_000, 20_000),
    updates=10,
    idle_items=2,
    idle_seconds=2,
    job_items=10,
    webhooks=webhooks.Plan(rounds=1, steady=100, flat_out=100, backfill_rows=10_000, to_rows=15),
    emulator_rows=10_000,
    emulator_items=100,
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test of a minute")
    plan = QUICK if parser.parse_args().quick else FULL
    with running_server() as server:
        figures = [*_live(server, plan), *_parts(server, plan)]
    figures += emulator.measure(plan.emulator_rows, plan.emulator_items)
    show(figures)
    write(figures, BUILD / plan.file)


def _live(server: Server, plan: Plan) -> list[Figure]:
    """Measure the service as it runs, idle first: a server that has worked holds more memory."""
    with running_bank() as bank:
        return [
            *idle.measure(bank, server, plan.idle_items, plan.idle_seconds),
            jobs.measure(bank, server, plan.rounds, plan.job_items),
            *webhooks.measure(bank, server, plan.webhooks),
        ]


def _parts(server: Server, plan: Plan) -> list[Figure]:
    """Measure the sync of an Item."""
    say("recording pages from the emulator")
    with serving_pages(plan.pages) as url:
        say(f"the pages server alone takes {milliseconds_per_page(url, plan.pages):.1f} ms a page")
        rows = plan.pages * PAGE_ROWS
        return [
            *ingest.measure(url, server, plan.rounds, rows, plan.typical_rows),
            statements.measure(url, server, plan.pages),
            *backfill.measure(url, server, plan.backfills, plan.updates),
        ]


if __name__ == "__main__":
    main()

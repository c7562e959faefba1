"""`make bench`: every ratio that we promise, against named references, measured in one run.

Every side reads the same bytes over loopback HTTP: pages that the emulator wrote, served by a
process of its own. Every side writes to the same server, the embedded one with its default
durability. The table goes to stdout and the figures to build/bench.json; `--quick` is a smoke
test that measures too little to mean anything, and writes build/bench-quick.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import backfill
import ingest
import statements
from figures import show, write
from pages_server import milliseconds_per_page, serving_pages
from progress import say
from recording import PAGE_ROWS
from servers import running_server

BUILD = Path(__file__).parent.parent / "build"


class Plan(NamedTuple):
    """How much is measured."""

    file: str
    pages: int
    rounds: int
    typical_rows: int
    backfills: tuple[int, int, int]
    updates: int


FULL = Plan("bench.json", 100, 5, 2_000, (10_000, 100_000, 1_000_000), 100)
QUICK = Plan("bench-quick.json", 30, 1, 500, (1_000, 5_000, 20_000), 10)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test of less than a minute")
    plan = QUICK if parser.parse_args().quick else FULL
    say("recording pages from the emulator")
    with serving_pages(plan.pages) as url, running_server() as server:
        say(f"the pages server alone takes {milliseconds_per_page(url, plan.pages):.1f} ms a page")
        rows = plan.pages * PAGE_ROWS
        figures = [
            *ingest.measure(url, server, plan.rounds, rows, plan.typical_rows),
            statements.measure(url, server, plan.pages),
            *backfill.measure(url, server, plan.backfills, plan.updates),
        ]
    show(figures)
    write(figures, BUILD / plan.file)


if __name__ == "__main__":
    main()

"""`make simulate`: measures what a run costs, simulates fleets, and prints the tables of docs/scaling.md.

With `--write` the tables of the document are replaced too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bounds
import costs
import scaling
import tables
from progress import say

DOCUMENT = Path(__file__).parent.parent / "docs/scaling.md"


def main() -> None:
    """Measure, simulate, print, and write if asked."""
    parser = argparse.ArgumentParser(prog="make simulate ARGS=…", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    write = parser.parse_args().write
    made = _tables()
    for name, text in made.items():
        print(f"\n{name}\n\n{text}")
    if write:
        _write(made)


def _tables() -> dict[str, str]:
    spent, size = costs.measure()
    usual, told_once, polled = scaling.demand(), scaling.demand(1), scaling.demand(0)
    fleets = []
    for items, fleet in scaling.GROWTH:
        fleets.append(scaling.grow(items, fleet, spent, usual))
        say(f"{items:,} Items, {fleet.name}: p50 {fleets[-1].delay_p50:.1f} s")
    return {
        "assumptions": tables.assumed(),
        "costs": tables.measured(spent, size),
        "demand": tables.demanded(usual, told_once, polled),
        "bounds": tables.bounded(bounds.all_bounds(spent, usual, told_once, polled)),
        "growth": tables.grown(fleets),
        "storage": tables.stored(usual, size),
    }


def _write(made: dict[str, str]) -> None:
    document = DOCUMENT.read_text()
    for name, text in made.items():
        document = tables.put(document, name, text)
    DOCUMENT.write_text(document)


if __name__ == "__main__":
    main()

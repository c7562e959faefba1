"""How fast a first history is taken in: ours beside the usual way and beside the floor, in turns."""

from __future__ import annotations

import statistics
from operator import truediv
from typing import TYPE_CHECKING

import floor
import ours
import typical
from children import in_child
from figures import Figure
from pages_server import access_token
from progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servers import Server

_UNIT = "transactions/s"


def measure(url: str, server: Server, rounds: int, rows: int, typical_rows: int) -> list[Figure]:
    """Return the two ratios; `typical_rows` may be few, for its rate does not depend on them."""
    in_turns = [
        (
            _rate(url, server, ours.ingest, rows),
            _rate(url, server, floor.ingest, rows),
            _rate(url, server, typical.ingest, typical_rows),
        )
        for _ in range(rounds)
    ]
    our_rates, floor_rates, typical_rates = zip(*in_turns, strict=True)
    return [
        _figure("ingest_vs_typical", our_rates, typical_rates),
        _figure("ingest_vs_floor", our_rates, floor_rates),
    ]


def _figure(name: str, rates: Sequence[float], references: Sequence[float]) -> Figure:
    ratio = statistics.median(map(truediv, rates, references))
    return Figure(name, statistics.median(rates), _UNIT, statistics.median(references), ratio)


def _rate(url: str, server: Server, ingest: Callable[[str, str, str], float], rows: int) -> float:
    with server.fresh_database() as database_url:
        seconds: float = in_child(ingest, url, database_url, access_token(rows)).value
    say(f"{ingest.__module__}: {rows:,} transactions, {rows / seconds:,.0f} a second")
    return rows / seconds

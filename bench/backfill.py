"""A long first history: the memory it takes, and what it does to the small syncs after it.

Memory is the most that the process of a run ever held. The small syncs bring 10 new transactions
each, in turns with those of an Item that has little stored.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import ours
from children import in_child
from figures import Figure
from pages_server import access_token
from progress import say

if TYPE_CHECKING:
    from servers import Server


def measure(
    url: str, server: Server, sizes: tuple[int, int, int], repeats: int
) -> tuple[Figure, Figure]:
    """Return the ratio of memory and that of time; `sizes` are rows: few, many, very many."""
    few, many, very_many = sizes
    with (
        server.fresh_database() as small,
        server.fresh_database() as middling,
        server.fresh_database() as large,
    ):
        rss_mib_many = _backfill(url, middling, many)
        rss_mib_very_many = _backfill(url, large, very_many)
        _backfill(url, small, few)
        server.checkpoint()
        pairs = in_child(_update_in_turns, url, small, large, repeats).value
    return _memory(rss_mib_very_many, rss_mib_many), _time(pairs)


def _backfill(url: str, database_url: str, rows: int) -> float:
    ingested = in_child(ours.ingest, url, database_url, access_token(rows))
    rate = rows / ingested.value
    say(f"backfill of {rows:,}: {ingested.rss_mib_max:.0f} MiB, {rate:,.0f} transactions/s")
    return ingested.rss_mib_max


def _update_in_turns(url: str, small: str, large: str, repeats: int) -> list[tuple[float, float]]:
    with ours.opened(url, small) as over_small, ours.opened(url, large) as over_large:
        for _ in range(_WARM_UPS):
            ours.timed_sync(over_small)
            ours.timed_sync(over_large)
        return [(ours.timed_sync(over_small), ours.timed_sync(over_large)) for _ in range(repeats)]


_WARM_UPS = 10  # psycopg prepares a statement when it comes for the sixth time


def _memory(very_many: float, many: float) -> Figure:
    return Figure("backfill_rss_1m_vs_100k", very_many, "MiB", many, very_many / many)


def _time(pairs: list[tuple[float, float]]) -> Figure:
    small_ms = 1000 * statistics.median(small for small, _ in pairs)
    large_ms = 1000 * statistics.median(large for _, large in pairs)
    ratio = statistics.median(large / small for small, large in pairs)
    say(f"sync of 10 new: {large_ms:.1f} ms over very many, {small_ms:.1f} ms over few")
    return Figure("incremental_1m_vs_10k", large_ms, "ms", small_ms, ratio)

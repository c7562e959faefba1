"""Whether the emulator is ever the bottleneck: its pages out of a long history, its start with many Items."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from statistics import quantiles
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from figures import Figure
from progress import say

from platypus_bank.testing import running

if TYPE_CHECKING:
    from platypus_bank.testing import Running

CLIENT_ID = "bench"
PAGE_ROWS = 500
PAGE_MS_PROMISED = 10.0
START_SECONDS_PROMISED = 5.0
_HEADERS = {
    "PLAID-CLIENT-ID": CLIENT_ID,
    "PLAID-SECRET": "any",
    "Content-Type": "application/json",
}


def measure(rows: int, items: int) -> list[Figure]:
    """Return milliseconds a page of 500 rows takes (p99), and seconds to start with many Items."""
    with tempfile.TemporaryDirectory() as folder, running(folder, client_id=CLIENT_ID) as bank:
        milliseconds = _page_milliseconds(bank, rows)
    with tempfile.TemporaryDirectory() as folder, running(folder, client_id=CLIENT_ID) as bank:
        seconds = _start_seconds(bank, items)
    return [
        Figure(
            "emulator_page_p99",
            milliseconds,
            "ms",
            PAGE_MS_PROMISED,
            milliseconds / PAGE_MS_PROMISED,
        ),
        Figure(
            "emulator_start",
            seconds,
            "s",
            START_SECONDS_PROMISED,
            seconds / START_SECONDS_PROMISED,
        ),
    ]


def _page_milliseconds(bank: Running, rows: int) -> float:
    bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
    [linked] = bank.control.crowd(1, days_requested=1)
    began = time.perf_counter()
    bank.control.bulk(linked["item_id"], rows)
    say(f"emulator: {rows:,} rows made in {time.perf_counter() - began:.1f} s")
    times = _pages(bank, linked["access_token"])
    p50, p99 = (quantiles(times, n=100)[place] for place in (49, 98))
    say(f"emulator: {len(times)} pages, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return p99


def _pages(bank: Running, access_token: str) -> list[float]:
    """Take an Item's whole history; returns how many milliseconds each page took."""
    line, times, cursor = http.client.HTTPConnection(urlsplit(bank.url).netloc), [], ""
    while True:
        body = json.dumps({"access_token": access_token, "cursor": cursor, "count": PAGE_ROWS})
        began = time.perf_counter()
        line.request("POST", "/transactions/sync", body, _HEADERS)
        raw = line.getresponse().read()
        times.append(1000 * (time.perf_counter() - began))
        page = json.loads(raw)
        cursor = page["next_cursor"]
        if not page["has_more"]:
            line.close()
            return times


def _start_seconds(bank: Running, items: int) -> float:
    began = time.perf_counter()
    bank.control.crowd(items, days_requested=30)
    say(f"emulator: {items:,} living people linked in {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    bank.restart()
    bank.control.clock()
    seconds = time.perf_counter() - began
    say(f"emulator: started with {items:,} Items in {seconds:.2f} s")
    return seconds

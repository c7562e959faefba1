"""Counting in a process: exact under threads, bounded whatever is counted, taken once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from bankloom.core.counting import LABEL_SETS_MAX, Counted, Counts

CALLS = Counted("calls_total", "Calls.", ("endpoint",))
SECONDS = Counted("seconds", "Seconds.", ("endpoint",), buckets=(1, 5))


def count_much(counts: Counts, number: int) -> None:
    for _ in range(1000):
        counts.add(CALLS, endpoint=str(number % 2))


def test_threads_lose_no_count() -> None:
    """What many threads count at once is all there, and taken only once."""
    counts = Counts()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: count_much(counts, number), range(8)))
    assert counts.take() == {
        ("calls_total", '{"endpoint": "0"}'): 4000,
        ("calls_total", '{"endpoint": "1"}'): 4000,
    }
    assert counts.take() == {}


def test_what_is_given_back_is_counted_with_the_rest() -> None:
    """A batch that could not be kept comes with the next one."""
    counts = Counts()
    counts.add(CALLS, 2, endpoint="x")
    taken = counts.take()
    counts.add(CALLS, endpoint="x")
    counts.give_back(taken)
    assert list(counts.take().values()) == [3]


def test_a_value_goes_into_one_bucket() -> None:
    """That of the first bound which it does not pass; the last takes all the others."""
    counts = Counts()
    for seconds in (0.5, 1, 1.5, 100):
        counts.observe(SECONDS, seconds, endpoint="x")
    buckets = {json.loads(labels).get("le"): n for (_, labels), n in counts.take().items()}
    assert buckets == {"1.0": 2, "5.0": 1, "inf": 1, None: 103}


def test_label_sets_are_bounded() -> None:
    """However many values somebody makes up, few are told apart, and none is lost."""
    counts = Counts()
    for number in range(LABEL_SETS_MAX + 100):
        counts.add(CALLS, endpoint=str(number))
        counts.take() if number % 7 == 0 else None
    for number in range(LABEL_SETS_MAX + 100):
        counts.add(CALLS, endpoint=str(number))
    changes = counts.take()
    assert len(changes) == LABEL_SETS_MAX + 1
    assert changes["calls_total", '{"endpoint": "other"}'] >= 100

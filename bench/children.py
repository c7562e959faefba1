"""Runs a measurement in a fresh process, so that no side inherits another's memory or imports."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

_MEASURE_SECONDS_MAX = 600


class Measured(NamedTuple):
    """What a measurement returned, and the most memory that its process ever held."""

    value: Any
    rss_mib_max: float


def in_child(measure: Callable[..., Any], *args: Any) -> Measured:
    """Call `measure(*args)` in a new process and return what it returned."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, measure, args))
    process.start()
    theirs.close()
    try:
        if not ours.poll(_MEASURE_SECONDS_MAX):
            raise RuntimeError(f"{measure.__name__} took over {_MEASURE_SECONDS_MAX} s")
        return Measured(*ours.recv())
    except EOFError:
        raise RuntimeError(f"{measure.__name__} failed; its error stands above") from None
    finally:
        process.terminate()
        process.join()


def _run(answer: Connection, measure: Callable[..., Any], args: tuple[Any, ...]) -> None:
    value = measure(*args)
    answer.send((value, _rss_mib_max()))


def _rss_mib_max() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

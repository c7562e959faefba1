"""How a command ends: by signals in order, or at once; and signals that are not for us at the moment."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def end_in_order() -> None:
    """Let SIGTERM end this process as Ctrl-C does: it gives back what it holds."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def end_process() -> None:
    """End at once, where a thread that hangs would keep Python waiting; everything is closed."""
    logging.shutdown()
    os._exit(0)


@contextmanager
def noted(*numbers: signal.Signals) -> Iterator[list[int]]:
    """Note these signals instead of acting on them; give the list of those that came.

    A program started meanwhile has its own way with them: one that we ignored, it would ignore too.
    """
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in numbers
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Tells on stderr what is being measured; stdout holds the table alone."""

from __future__ import annotations

import sys
import time

_started = time.monotonic()


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _started:4.0f} s  {text}", file=sys.stderr, flush=True)

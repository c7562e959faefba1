"""The world's clock: real time plus what the control API has advanced it by, or standing still."""

import time
from datetime import UTC, date, datetime

DAY_SECONDS = 86_400
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1970, 2200))
"""Between these a world's clock may be."""


class Clock:
    """Tells the world's time: `offset_seconds` ahead of the real one, or standing at an instant."""

    def __init__(self, offset_seconds: float = 0.0, stands_at: float | None = None) -> None:
        self.offset_seconds = offset_seconds
        self.stands_at = stands_at

    def now(self) -> float:
        """Return seconds since the epoch in the world's time."""
        return time.time() + self.offset_seconds if self.stands_at is None else self.stands_at

    def advance(self, seconds: float) -> None:
        """Move on; a clock that stands moves on and stands again."""
        if self.stands_at is None:
            self.offset_seconds += seconds
        else:
            self.stands_at += seconds

    def stop(self) -> None:
        """Stand still from now on."""
        self.stands_at = self.now()

    def go(self) -> None:
        """Go on from where it stands, as fast as real time."""
        if self.stands_at is not None:
            self.offset_seconds = self.stands_at - time.time()
            self.stands_at = None

    def today(self) -> date:
        """Return the world's calendar date, in UTC."""
        return day_of(self.now())


def day_of(instant: float) -> date:
    """Return the UTC calendar date of an instant in epoch seconds."""
    return datetime.fromtimestamp(instant, UTC).date()


def midnight(day: date) -> float:
    """Return the instant with which a UTC calendar date begins, in epoch seconds."""
    return datetime.combine(day, datetime.min.time(), UTC).timestamp()


def iso(instant: float | None) -> str | None:
    """Write an instant as Plaid does, `2026-11-23T04:05:06.789Z`."""
    if instant is None:
        return None
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

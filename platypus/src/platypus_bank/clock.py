"""The world's clock: real time plus what the control API has advanced it by."""

import time
from datetime import UTC, date, datetime

DAY_SECONDS = 86_400


class Clock:
    """Tells the world's time; `offset_seconds` is how far it runs ahead of the real one."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds

    def now(self) -> float:
        """Return seconds since the epoch in the world's time."""
        return time.time() + self.offset_seconds

    def today(self) -> date:
        """Return the world's calendar date, in UTC."""
        return day_of(self.now())


def day_of(instant: float) -> date:
    """Return the UTC calendar date of an instant in epoch seconds."""
    return datetime.fromtimestamp(instant, UTC).date()


def iso(instant: float | None) -> str | None:
    """Write an instant as Plaid does, `2026-11-23T04:05:06.789Z`."""
    if instant is None:
        return None
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

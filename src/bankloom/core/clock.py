"""The one place that asks what time it is: instants are UTC and carry their zone."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant in UTC."""
    return datetime.now(UTC)

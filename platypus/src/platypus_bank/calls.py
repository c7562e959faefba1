"""The log of Plaid calls, for tests to look at; bounded, in memory, without secrets."""

from collections import deque
from typing import Any

from msgspec import Struct

MAX_CALLS = 10_000


class Call(Struct, kw_only=True):
    """One call to a Plaid path; `status` None means no answer was given (yet)."""

    path: str
    time: str | None
    request_id: str
    item_id: str | None = None
    status: int | None = None
    error_code: str | None = None
    cursor: str | None = None
    count: int | None = None
    fault_id: str | None = None

    @staticmethod
    def sync_fields(fields: dict[str, Any]) -> dict[str, Any]:
        """Return a sync request's cursor and count, when it has usable ones."""
        cursor, count = fields.get("cursor"), fields.get("count")
        return {
            "cursor": cursor if isinstance(cursor, str) else None,
            "count": count if isinstance(count, int) else None,
        }


class Calls:
    """The last calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MAX_CALLS)

    def add(self, call: Call) -> None:
        """Note a call as it arrives."""
        self._calls.append(call)

    def matching(self, path: str | None, item_id: str | None) -> list[Call]:
        """Return the calls to a path and about an Item; None matches all."""
        return [
            each
            for each in self._calls
            if path in (None, each.path) and item_id in (None, each.item_id)
        ]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()

"""The log of Plaid calls, for tests to look at; bounded, in memory, without secrets."""

from collections import defaultdict, deque
from collections.abc import Iterable
from time import monotonic
from typing import Any

from msgspec import Struct, field

MAX_CALLS = 10_000


class Call(Struct, kw_only=True):
    """One call to a Plaid path; `status` None means no answer was given (yet).

    `fault` is the name of what spoiled it, if it has one. `time` is the world's;
    `monotonic_seconds` is for measuring, whatever the world's clock does.
    """

    path: str
    time: str | None
    request_id: str
    item_id: str | None = None
    status: int | None = None
    error_code: str | None = None
    cursor: str | None = None
    count: int | None = None
    fault_id: str | None = None
    fault: str | None = None
    monotonic_seconds: float = field(default_factory=monotonic)

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

    def rates(self, path: str | None, window_seconds: float) -> tuple[int, dict[str, int]]:
        """Return the most calls that any window held, in total and for each Item."""
        calls = self.matching(path, None)
        by_item: dict[str, list[float]] = defaultdict(list)
        for call in calls:
            if call.item_id is not None:
                by_item[call.item_id].append(call.monotonic_seconds)
        total = _most((each.monotonic_seconds for each in calls), window_seconds)
        return total, {item: _most(times, window_seconds) for item, times in by_item.items()}

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()


def _most(times: Iterable[float], window_seconds: float) -> int:
    most, window = 0, deque[float]()
    for instant in times:
        window.append(instant)
        while instant - window[0] >= window_seconds:
            window.popleft()
        most = max(most, len(window))
    return most

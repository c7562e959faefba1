"""Rate limits, off unless a setting asks for them (https://plaid.com/docs/errors/rate-limit-exceeded/)."""

from collections import defaultdict, deque
from collections.abc import Mapping

from platypus_bank.errors import RateLimitExceeded
from platypus_bank.records import RateLimit

WINDOW_SECONDS = 60.0
_CODES = {
    "/accounts/get": "ACCOUNTS_LIMIT",
    "/auth/get": "AUTH_LIMIT",
    "/identity/get": "IDENTITY_LIMIT",
    "/institutions/get": "INSTITUTIONS_GET_LIMIT",
    "/institutions/get_by_id": "INSTITUTIONS_GET_BY_ID_LIMIT",
    "/investments/holdings/get": "INVESTMENT_HOLDINGS_GET_LIMIT",
    "/investments/transactions/get": "INVESTMENT_TRANSACTIONS_LIMIT",
    "/item/get": "ITEM_GET_LIMIT",
    "/transactions/get": "TRANSACTIONS_LIMIT",
    "/transactions/refresh": "TRANSACTIONS_REFRESH_LIMIT",
    "/transactions/sync": "TRANSACTIONS_SYNC_LIMIT",
}
_BALANCE = "/accounts/balance/get"


class RateLimits:
    """Counts admitted calls of the last minute, by the world's clock; refused ones don't count."""

    def __init__(self) -> None:
        self._admitted: dict[tuple[str, str | None], deque[float]] = defaultdict(deque)

    def admit(
        self, limits: Mapping[str, RateLimit], path: str, item_id: str | None, now: float
    ) -> None:
        """Count a call; raises RateLimitExceeded when it is one too many for the Item or for all."""
        limit = limits.get(path)
        if limit is None:
            return
        scopes = (
            [(None, limit.client)]
            if item_id is None
            else [(item_id, limit.item), (None, limit.client)]
        )
        for scope, most in scopes:
            if most is not None and self._recent(path, scope, now) >= most:
                raise exceeded(path, of_item=scope is not None)
        for scope, _ in scopes:
            self._admitted[path, scope].append(now)

    def _recent(self, path: str, scope: str | None, now: float) -> int:
        times = self._admitted[path, scope]
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        return len(times)

    def clear(self) -> None:
        """Forget all calls."""
        self._admitted.clear()


def exceeded(path: str, *, of_item: bool) -> RateLimitExceeded:
    """Return the refusal, under the endpoint's documented code or, where there is none, our own."""
    code = _CODES.get(path, path.strip("/").replace("/", "_").upper() + "_LIMIT")
    if path == _BALANCE:
        code = "BALANCE_LIMIT" if of_item else "ACCOUNTS_BALANCE_GET_LIMIT"
    words = path.strip("/").replace("/", " ").replace("_", " ")
    return RateLimitExceeded(code, "this item" if of_item else f'"{words}"')

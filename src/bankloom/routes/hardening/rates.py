"""How often a key may call, and how often an address may show keys that are none, in this process."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from bankloom.core.errors import UnauthorizedError
from bankloom.core.http_errors import TooManyRequestsError
from bankloom.routes.hardening.headers import add_to_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

    from bankloom.core.settings import Settings

GOOD_KEYS_MAX = 4096
"""How many keys are remembered to have been good: 64 bytes each, more than a household or an app has."""

NETWORK_BITS = 64
"""What an IPv6 caller is given as a whole, and so may choose its addresses from."""

Who = TypeVar("Who")


def admitted(request: Request, key: str, authenticate: Callable[[], Who]) -> Who:
    """Return whom `authenticate` finds behind the key.

    Errors: `TooManyRequestsError` where the key has called too often, or where the caller's address
    has shown too many that were none: then without a look at the database.
    """
    rates: Rates = request.app.state.rates
    return rates.admit(request, key, authenticate)


class Rates:
    """The counts of one process. A key is counted under its hash: it is one key's, as its id would be."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._calls = _per_minute(settings.requests_per_minute)
        self._failures = _per_minute(settings.bad_keys_per_minute)
        self._good = _GoodKeys()

    def admit(self, request: Request, key: str, authenticate: Callable[[], Who]) -> Who:
        """Count the call, or the failure; see `admitted`."""
        name = hashlib.sha256(key.encode()).hexdigest()
        is_good = name in self._good
        if is_good:
            self._count_call(request, name)
        else:
            self._refuse_guessers(request)
        try:
            who = authenticate()
        except UnauthorizedError:
            self._count_failure(request, name)
            raise
        if not is_good:
            self._good.add(name)
            self._count_call(request, name)
        return who

    def _count_call(self, request: Request, name: str) -> None:
        if self._calls is None:
            return
        is_within = self._limiter.hit(self._calls, name)
        reset_at, left = self._limiter.get_window_stats(self._calls, name)
        seconds = _seconds_until(reset_at)
        limit = self._calls.amount
        told = [
            ("RateLimit-Policy", f'"key";q={limit};w=60'),
            ("RateLimit", f'"key";r={left};t={seconds}'),
        ]
        if not is_within:
            add_to_answer(request, [*told, ("Retry-After", str(seconds))])
            raise TooManyRequestsError(
                f"This key has called {limit} times within a minute, as often as "
                "BANKLOOM_REQUESTS_PER_MINUTE allows. Repeat the call after the seconds of Retry-After.",
                retry_after_seconds=seconds,
            )
        add_to_answer(request, told)

    def _refuse_guessers(self, request: Request) -> None:
        if self._failures is None or self._limiter.test(self._failures, _place(request)):
            return
        reset_at, _ = self._limiter.get_window_stats(self._failures, _place(request))
        seconds = _seconds_until(reset_at)
        add_to_answer(request, [("Retry-After", str(seconds))])
        raise TooManyRequestsError(
            "Too many keys that are none came from this address within a minute, so no other unknown "
            "key is looked at. Repeat the call after the seconds of Retry-After, with a valid key.",
            retry_after_seconds=seconds,
        )

    def _count_failure(self, request: Request, name: str) -> None:
        self._good.forget(name)
        if self._failures is not None:
            self._limiter.hit(self._failures, _place(request))


class _GoodKeys:
    """The hashes of keys that were good when they were last shown; the oldest go first.

    A good key is not kept waiting because somebody at the same address, or behind the same proxy,
    guesses. Whether it still is good, the database says each time.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        with self._lock:
            self._names[name] = None
            if len(self._names) > GOOD_KEYS_MAX:
                self._names.popitem(last=False)

    def forget(self, name: str) -> None:
        with self._lock:
            self._names.pop(name, None)


def _per_minute(amount: int) -> RateLimitItemPerMinute | None:
    return RateLimitItemPerMinute(amount) if amount else None


def _seconds_until(at: float) -> int:
    return max(1, math.ceil(at - time.time()))


def _place(request: Request) -> str:
    """Return whom an address belongs to: itself, or its IPv6 network."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "nowhere"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> NETWORK_BITS)
    return str(address)

"""How often a key may call, and how often an address may show keys that are none, in this process."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from throttled import MemoryStore, RateLimiterType, Throttled, rate_limiter

from bankloom.core.access_errors import UnauthorizedError
from bankloom.core.http_errors import TooManyRequestsError
from bankloom.routes.hardening.headers import add_to_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

    from bankloom.core.settings import Settings

COUNTED_MAX = 16_384
"""How many keys, and how many addresses, are counted at a time: some hundred bytes each. The one that
was seen longest ago is forgotten first."""

GOOD_KEYS_MAX = 4096

MINUTE_SECONDS = 60
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
    """The counts of one process. A key is counted under its hash: it is one key's, as its id would be.

    By the generic cell rate algorithm: a minute's worth at once, and then as fast as it comes back.
    """

    def __init__(self, settings: Settings) -> None:
        self._calls = _per_minute(settings.requests_per_minute)
        self._failures = _per_minute(settings.bad_keys_per_minute)
        self._calls_a_minute = settings.requests_per_minute
        self._failures_a_minute = settings.bad_keys_per_minute
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
        counted = self._calls.limit(name)
        left, full_in = counted.state.remaining, math.ceil(counted.state.reset_after)
        limit = self._calls_a_minute
        told = [
            ("RateLimit-Policy", f'"key";q={limit};w={MINUTE_SECONDS}'),
            ("RateLimit", f'"key";r={left};t={full_in}'),
        ]
        add_to_answer(request, told)
        if counted.limited:
            self._refuse(
                request,
                f"This key has called more than {limit} times a minute, which is what "
                "BANKLOOM_REQUESTS_PER_MINUTE allows. Repeat the call after the seconds of Retry-After.",
                counted.state.retry_after,
            )

    def _refuse_guessers(self, request: Request) -> None:
        if self._failures and self._failures.peek(_place(request)).remaining < 1:
            self._refuse(
                request,
                "Too many keys that are none came from this address, so no unknown key is looked at "
                "for now. Repeat the call after the seconds of Retry-After, with a valid key.",
                MINUTE_SECONDS / self._failures_a_minute,
            )

    def _refuse(self, request: Request, message: str, retry_after: float) -> None:
        seconds = max(1, math.ceil(retry_after))
        add_to_answer(request, [("Retry-After", str(seconds))])
        raise TooManyRequestsError(message, retry_after_seconds=seconds)

    def _count_failure(self, request: Request, name: str) -> None:
        self._good.forget(name)
        if self._failures:
            self._failures.limit(_place(request))


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


def _per_minute(amount: int) -> Throttled | None:
    if not amount:
        return None
    return Throttled(
        using=RateLimiterType.GCRA.value,
        quota=rate_limiter.per_min(amount),
        store=MemoryStore(options={"MAX_SIZE": COUNTED_MAX}),
    )


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

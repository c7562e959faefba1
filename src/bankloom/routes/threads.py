"""Threads for the routes that may wait long, and for the one that must never wait for those.

Other routes share the 40 threads that Starlette gives to plain functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Callable

PLAID_CALLS_AT_ONCE = 16
"""Each may wait for Plaid's slowest answer, two minutes; all 40 threads waiting would stop everything."""

HEALTH_CHECKS_AT_ONCE = 4
DELIVERIES_AT_ONCE = 8
"""More than two cores keep busy, and few enough to leave two thirds of the database's connections."""

KEYS_ASKED_AT_ONCE = 4
"""Whoever is asked may hang, and strangers choose what is asked for: known keys must not wait for that."""

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class Threads:
    """The bounds of one app; made inside its event loop."""

    def __init__(self) -> None:
        self._calling_plaid = anyio.CapacityLimiter(PLAID_CALLS_AT_ONCE)
        self._checking_health = anyio.CapacityLimiter(HEALTH_CHECKS_AT_ONCE)
        self._taking_deliveries = anyio.CapacityLimiter(DELIVERIES_AT_ONCE)
        self._learning_keys = anyio.CapacityLimiter(KEYS_ASKED_AT_ONCE)

    async def call_plaid(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Run what asks Plaid; waits its turn where many do."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._calling_plaid)

    async def check_health(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Run a health check, however busy the other routes are."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._checking_health)

    async def take_delivery(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Store a webhook, however busy the other routes are."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._taking_deliveries)

    async def learn_key(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """Ask for a key that signs webhooks, while those whose keys are known pass by."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._learning_keys)


def threads_of(request: Request) -> Threads:
    """Return the app's threads."""
    threads: Threads = request.app.state.threads
    return threads


ThreadsDep = Annotated[Threads, Depends(threads_of)]

"""The budget of calls to Plaid, shared by all processes: whoever calls spends first, or waits."""

from __future__ import annotations

import hashlib
import logging
import math
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bankloom.core import clock
from bankloom.core.errors import PlaidBusyError, PlaidLimitedError
from bankloom.models import PlaidBudget
from bankloom.models.plaid_budget import Cost
from bankloom.services.rate_limits import Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from bankloom.core.db import Database
    from bankloom.services.plaid_gate import Call
    from bankloom.services.rate_limits import RateLimits

Message = TypeVar("Message")

log = logging.getLogger(__name__)

WAIT_IN_PLACE_SECONDS = 2.0
"""What a call may wait for its turn: less than a worker has for leaving, and than a person minds."""

WAIT_FOR_PAGE_SECONDS = 75.0
"""What the next page of an update may wait: a minute's limit is regained by then, and a lease is not."""

PAGE_TRIES = 3
"""How often a page is asked for that Plaid itself puts off, where its limit is lower than we know."""

LOOK_SECONDS = 0.25  # how soon a wait notices that its worker leaves
JITTER_SECONDS = 0.05  # many may wait for the same instant
LIMITED_SECONDS = 60.0  # what Plaid's limits are counted by, where it does not say how long to wait

UNDOING = "/item/remove"
"""Never kept back: it undoes an exchange that could not be stored, perhaps for want of a database.

The Item would stay at Plaid and be billed. Its limits are far from what undoing takes.
"""

OF_ONE_ITEM = "this item"
"""Stands in Plaid's message where the limit of an Item was met; no code says which of the two it was."""

OF_ONE_BANK = "INSTITUTION_RATE_LIMIT"
"""The code where a bank takes no more calls; other banks' Items are not held back for it."""


class Left(NamedTuple):
    """What is left of the limit of a client."""

    endpoint: str
    left: int
    limit: int


class Budget:
    """The gate that keeps all processes together within Plaid's rate limits; see `plaid_gate.Gate`.

    A call spends from the limits of its Item and of the client, or from neither, in a commit of
    its own. An Item is known by a hash of its access token. Endpoints without a limit cost nothing.
    """

    def __init__(self, database: Database, limits: RateLimits) -> None:
        self._database = database
        self._limits = limits

    def __call__(
        self,
        call: Call,
        send: Callable[[], Message],
        while_waiting: Callable[[], None] | None = None,
    ) -> Message:
        """Send the call as soon as the budget allows. Errors: `PlaidBusyError`; those of `send`."""
        costs = self._costs(call)
        for tries_left in reversed(range(PAGE_TRIES if while_waiting and costs else 1)):
            self._spend(call, costs, while_waiting)
            try:
                return send()
            except PlaidLimitedError as refusal:
                self._hold_back(call, costs, refusal)
                if not tries_left:
                    raise
        raise AssertionError("a call is sent, or its error raised")

    def left(self, session: Session) -> list[Left]:
        """Return what is left of each limit of the client, in calls.

        It is scaled: the whole limit where nothing is used up, 0 where the next call has to wait.
        """
        limits = {path: Limit(each.client) for path, each in self._limits.items() if each.client}
        ahead = PlaidBudget.ahead_seconds(session, list(limits))
        return [
            Left(path, _scaled(limit, ahead.get(path, 0)), limit.calls)
            for path, limit in sorted(limits.items())
        ]

    def _costs(self, call: Call) -> list[Cost]:
        """Return what the call takes from each limit that there is."""
        limits = self._limits.get(call.endpoint)
        if limits is None or call.endpoint == UNDOING:
            return []
        taken = {call.endpoint: limits.client}
        if call.from_empty_cursor:
            taken[f"{call.endpoint} from the empty cursor"] = limits.empty_cursor
        if call.access_token:
            taken[_item_key(call)] = limits.item
        return [_cost(key, Limit(calls)) for key, calls in taken.items() if calls]

    def _spend(
        self, call: Call, costs: Sequence[Cost], while_waiting: Callable[[], None] | None
    ) -> None:
        """Spend what the call costs, within a bounded wait. Errors: `PlaidBusyError`."""
        patience_seconds = WAIT_FOR_PAGE_SECONDS if while_waiting else WAIT_IN_PLACE_SECONDS
        deadline = time.monotonic() + patience_seconds
        while costs and (wait_seconds := self._ask(costs)):
            if time.monotonic() + wait_seconds > deadline:
                free_at = clock.now() + timedelta(seconds=wait_seconds)
                raise PlaidBusyError(
                    f"Plaid's rate limit of {call.endpoint} is used up until {free_at:%H:%M:%S} UTC. "
                    "Nothing was sent; repeat the call then.",
                    free_at=free_at,
                )
            _wait(wait_seconds, while_waiting)

    def _ask(self, costs: Sequence[Cost]) -> float:
        with self._connection() as connection:
            return PlaidBudget.spend(connection, costs)

    def _hold_back(self, call: Call, costs: Sequence[Cost], refusal: PlaidLimitedError) -> None:
        """Stop every process's calls that would meet the same refusal."""
        seconds = LIMITED_SECONDS
        if refusal.free_at:
            seconds = max(0.0, (refusal.free_at - clock.now()).total_seconds())
        log.warning("%s: %s Held back for %.0f s", call.endpoint, refusal.message, seconds)
        if meant := _meant(call, costs, refusal):
            with self._connection() as connection:
                PlaidBudget.hold_back(connection, meant, seconds)

    def _connection(self) -> Connection:
        """Return a connection that commits each statement by itself: that is one round trip."""
        connection = self._database.engine.connect()
        return connection.execution_options(isolation_level="AUTOCOMMIT")


def _item_key(call: Call) -> str:
    """Name the Item by a hash of its access token: a random secret that no hash gives away."""
    token = hashlib.sha256((call.access_token or "").encode()).hexdigest()[:32]
    return f"{call.endpoint} of {token}"


def _cost(key: str, limit: Limit) -> Cost:
    return Cost(key, limit.step_seconds, (limit.burst - 1) * limit.step_seconds)


def _meant(call: Call, costs: Sequence[Cost], refusal: PlaidLimitedError) -> Sequence[Cost]:
    """Return the limits that a refusal of Plaid's may be about: all, unless it speaks of the Item."""
    of_item = refusal.error_code == OF_ONE_BANK or OF_ONE_ITEM in refusal.message
    return [cost for cost in costs if cost.key == _item_key(call)] if of_item else costs


def _wait(seconds: float, while_waiting: Callable[[], None] | None) -> None:
    jitter = random.uniform(0, JITTER_SECONDS)  # noqa: S311 - spreads load, guards nothing
    until = time.monotonic() + seconds + jitter
    while (rest_seconds := until - time.monotonic()) > 0:
        if while_waiting:
            while_waiting()
        time.sleep(min(rest_seconds, LOOK_SECONDS))


def _scaled(limit: Limit, ahead_seconds: float) -> int:
    left_of_burst = max(0, math.floor(limit.burst - ahead_seconds / limit.step_seconds))
    return limit.calls * left_of_burst // limit.burst

"""The gate that every call to Plaid passes: what it is told of a call, open, and under observation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from bankloom.core.errors import BankloomError
from bankloom.services import plaid_errors

if TYPE_CHECKING:
    from collections.abc import Callable

Message = TypeVar("Message")


class Call(NamedTuple):
    """A call to Plaid, as far as one of its rate limits depends on it."""

    endpoint: str
    """Its path, such as `/transactions/sync`."""
    access_token: str | None = None
    from_empty_cursor: bool = False


class Gate(Protocol):
    """Lets a call out when it may leave."""

    def __call__(
        self,
        call: Call,
        send: Callable[[], Message],
        while_waiting: Callable[[], None] | None = None,
    ) -> Message:
        """Send the call, now or within a short wait, and return its answer.

        `while_waiting` says that much would be lost by giving up: the gate may then wait for longer
        than a minute. It calls it a few times a second, and whatever it raises ends the wait.
        Errors: `PlaidBusyError` where the call may not leave yet; whatever `send` raises.
        """


def open_gate(
    call: Call,  # noqa: ARG001 - a gate is told of the call
    send: Callable[[], Message],
    while_waiting: Callable[[], None] | None = None,  # noqa: ARG001 - as above
) -> Message:
    """Let every call out at once."""
    return send()


def observed(gate: Gate, observe: Callable[[str, str, float], None]) -> Gate:
    """Return a gate that tells of every call sent through it: endpoint, outcome and seconds.

    The outcome is `ok` or one of `plaid_errors.outcome`. A call that the gate turned away was not
    sent, and how long it waited at the gate is not Plaid's doing.
    """

    def pass_observed(
        call: Call, send: Callable[[], Message], while_waiting: Callable[[], None] | None = None
    ) -> Message:
        def send_observed() -> Message:
            started, outcome = time.monotonic(), "ok"
            try:
                return send()
            except BankloomError as error:
                outcome = plaid_errors.outcome(error)
                raise
            finally:
                observe(call.endpoint, outcome, time.monotonic() - started)

        return gate(call, send_observed, while_waiting)

    return pass_observed

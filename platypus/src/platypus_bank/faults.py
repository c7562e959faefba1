"""Faults that tests plant: a call to a Plaid path is answered wrongly, late, or not at all."""

import asyncio
from contextlib import suppress
from typing import Annotated

from msgspec import Meta, Struct, field

from platypus_bank.errors import error_body

ANY_PATH = "*"
MAX_FAULTS = 1000


class FaultError(Struct, kw_only=True, forbid_unknown_fields=True):
    """The refusal to give."""

    error_type: str
    error_code: str
    error_message: str = "this error was planted through the control API"
    status: Annotated[int, Meta(ge=400, le=599)] = 400

    def body(self) -> dict[str, object]:
        """Return it in Plaid's shape."""
        return error_body(self.error_type, self.error_code, self.error_message)


class FaultRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which calls to spoil, and how.

    The first `after` matching calls pass; then `times` calls are spoiled (0: all). A held call
    waits until released and then goes on; so does a delayed one. Only `drop_after_effect` lets
    the effect happen before it spoils the answer.
    """

    path: str
    after: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] = 1
    item_id: str | None = None
    error: FaultError | None = None
    delay_seconds: Annotated[float, Meta(ge=0, le=600)] = 0.0
    drop: bool = False
    drop_after_effect: bool = False
    hold: bool = False
    body: str | None = None


class Fault(Struct, kw_only=True):
    """A planted fault and what has become of it."""

    id: str
    request: FaultRequest
    seen: int = 0
    fired: int = 0
    held: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, path: str, item_id: str | None) -> bool:
        """Count a call, and tell whether it is one to spoil."""
        wanted = self.request
        if wanted.path not in (path, ANY_PATH) or wanted.item_id not in (None, item_id):
            return False
        self.seen += 1
        if self.seen <= wanted.after or (wanted.times and self.fired >= wanted.times):
            return False
        self.fired += 1
        return True

    async def wait(self) -> None:
        """Hold or delay the call, as the fault says, unless it has been released."""
        if self.request.hold:
            self.held += 1
            try:
                await self.released.wait()
            finally:
                self.held -= 1
        if self.request.delay_seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.released.wait(), self.request.delay_seconds)


class Faults:
    """All planted faults; they live in memory and end with the process."""

    def __init__(self) -> None:
        self.closing = False
        self._planted: dict[str, Fault] = {}
        self._made = 0

    def plant(self, request: FaultRequest) -> Fault:
        """Plant a fault; raises ValueError beyond MAX_FAULTS."""
        if len(self._planted) >= MAX_FAULTS:
            raise ValueError(f"no more than {MAX_FAULTS} faults; DELETE /platypus/faults first")
        self._made += 1
        fault = Fault(id=f"fault-{self._made}", request=request)
        self._planted[fault.id] = fault
        return fault

    def take(self, path: str, item_id: str | None) -> Fault | None:
        """Return the oldest fault that spoils this call."""
        return next((each for each in self._planted.values() if each.takes(path, item_id)), None)

    def every(self) -> list[Fault]:
        """Return all planted faults, oldest first."""
        return list(self._planted.values())

    def find(self, fault_id: str) -> Fault | None:
        """Return one fault, or None."""
        return self._planted.get(fault_id)

    def close(self) -> None:
        """End all waiting because the server stops; those calls get no answer."""
        self.closing = True
        self.clear()

    def clear(self) -> None:
        """Take all faults away and let held calls go."""
        for fault in self._planted.values():
            fault.released.set()
        self._planted.clear()

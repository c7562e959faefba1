"""Planted faults: which calls they take, and calls that wait in them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct, field
from starlette.responses import Response

from platypus_bank.calls import Call
from platypus_bank.dice import falls
from platypus_bank.faults.asked import ANY_PATH, Asked, NamedFault, covers
from platypus_bank.world import World

MAX_FAULTS = 1000


class StoppingError(Exception):
    """The server stops while a call waits."""


class Visit(Protocol):
    """What a fault may do with a call."""

    @property
    def call(self) -> Call:
        """The call as it stands in the log."""

    @property
    def world(self) -> World:
        """The world of the client that calls."""

    def commit(self) -> AbstractContextManager[None]:
        """Make everything inside one change of the world."""

    def answer(self) -> Response:
        """Do what was asked for, and answer as Plaid would."""

    def refuse(self, status: int, body: dict[str, object]) -> Response:
        """Answer with an error in Plaid's shape; nothing happens."""

    def hang_up(self) -> Response:
        """Close the connection without an answer."""


class Fault(Struct, kw_only=True):
    """A planted fault and what has become of it.

    `paths` are patterns; `fits` may want more of a call than its path. `loops` is how far the
    loops of each Item have come, for faults that strike at a page.
    """

    id: str
    request: Asked
    paths: tuple[str, ...]
    spoil: "Spoil"
    fits: "Fits"
    scripted: bool = False
    seen: int = 0
    fired: int = 0
    held: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    throws: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    loops: dict[tuple[str | None, str], "Loop"] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        """The name by which it was planted; None if by hand."""
        return self.request.name if isinstance(self.request, NamedFault) else None

    @property
    def is_spent(self) -> bool:
        """Tell whether it has spoiled all the calls that it was to spoil."""
        return 0 < self.request.times_max <= self.fired

    def takes(self, visit: Visit) -> bool:
        """Count a call, and tell whether it is one to spoil."""
        call, wanted = visit.call, self.request
        if wanted.item_id not in (None, call.item_id):
            return False
        if not any(covers(each, call.path) for each in self.paths) or not self.fits(visit, self):
            return False
        self.seen += 1
        if self.seen <= wanted.after or self.is_spent or not self._falls(visit):
            return False
        self.fired += 1
        return True

    def _falls(self, visit: Visit) -> bool:
        """Throw the dice for this Item's n-th such call: whatever other Items do, it falls alike."""
        if self.request.chance is None:
            return True
        place = (visit.call.item_id, visit.call.path)
        self.throws[place] += 1
        key = self.name or msgspec.json.encode(self.request).decode()
        return falls(self.request.chance, visit.world.charter.seed, key, *place, self.throws[place])

    async def hold(self, seconds: float | None = None) -> bool:
        """Let the call wait, no longer than so; True when it was released. Raises StoppingError."""
        self.held += 1
        try:
            return await self.delay(seconds)
        finally:
            self.held -= 1

    async def delay(self, seconds: float | None) -> bool:
        """Let the call wait, without counting it as held; else as `hold`."""
        try:
            await asyncio.wait_for(self.released.wait(), seconds)
        except TimeoutError:
            return False
        if self.stopping:
            raise StoppingError
        return True


class Loop(Struct):
    """The middle pages that a loop of /transactions/sync was asked for, each once, in order."""

    span: tuple[int, int]
    places: list[tuple[int, int]] = field(default_factory=list)


Spoil = Callable[[Visit, Fault], Awaitable[Response]]
Fits = Callable[[Visit, Fault], bool]


class Pause(Struct, kw_only=True, forbid_unknown_fields=True):
    """A step of an Item's script in which so many calls pass."""

    calls: Annotated[int, Meta(ge=1)]
    path: str = ANY_PATH


Step = Pause | Fault


class Faults:
    """All planted faults; they live in memory and end with the process."""

    def __init__(self) -> None:
        self._planted: dict[str, Fault] = {}
        self._scripts: dict[str, list[Step]] = {}
        self._made = 0

    def plant(self, faults: list[Fault]) -> None:
        """Plant faults, giving each its id; raises ValueError beyond MAX_FAULTS."""
        if len(self._planted) + len(faults) > MAX_FAULTS:
            raise ValueError(f"no more than {MAX_FAULTS} faults; DELETE /platypus/faults first")
        for fault in faults:
            self._made += 1
            fault.id = f"fault-{self._made}"
            self._planted[fault.id] = fault

    def write_script(self, item_id: str, steps: list[Step]) -> None:
        """Let an Item's next calls meet these steps in order, in place of those it still had."""
        faults = [each for each in steps if isinstance(each, Fault)]
        for fault in faults:
            fault.scripted = True
        self.plant(faults)
        self._scripts[item_id] = steps

    def script(self, item_id: str) -> list[Step]:
        """Return the steps that an Item's calls have yet to meet."""
        return self._scripts.get(item_id, [])

    def take(self, visit: Visit) -> Fault | None:
        """Return what spoils this call: its Item's script, else the oldest fault that fits."""
        scripted = self._step(visit)
        if scripted is not None:
            return scripted
        loose = (each for each in self._planted.values() if not each.scripted)
        return next((each for each in loose if each.takes(visit)), None)

    def _step(self, visit: Visit) -> Fault | None:
        steps = self._scripts.get(visit.call.item_id or "")
        if not steps:
            return None
        step = steps[0]
        if isinstance(step, Pause):
            step.calls -= covers(step.path, visit.call.path)
            if step.calls <= 0:
                steps.pop(0)
            return None
        if not step.takes(visit):
            return None
        if step.is_spent:
            steps.pop(0)
        return step

    def every(self) -> list[Fault]:
        """Return all planted faults, oldest first."""
        return list(self._planted.values())

    def find(self, fault_id: str) -> Fault | None:
        """Return one fault, or None."""
        return self._planted.get(fault_id)

    def close(self) -> None:
        """End all waiting because the server stops; those calls get no answer."""
        for fault in self._planted.values():
            fault.stopping = True
        self.clear()

    def clear(self) -> None:
        """Take all faults and scripts away and let held calls go."""
        for fault in self._planted.values():
            fault.released.set()
        self._planted.clear()
        self._scripts.clear()

"""/platypus/faults: plant, look at, release and take away faults."""

from typing import Any

import msgspec

from platypus_bank.control.door import Action, Knock, RefusedError, UnknownError
from platypus_bank.faults import Fault, FaultRequest


def plant(knock: Knock) -> dict[str, Any]:
    """Plant a fault."""
    try:
        return {"fault_id": knock.service.faults.plant(knock.read(FaultRequest)).id}
    except ValueError as problem:
        raise RefusedError(str(problem)) from problem


def show(knock: Knock) -> dict[str, Any]:
    """Return every fault: what it is, how often it fired, how many calls it holds now."""
    return {"faults": [_shown(each) for each in knock.service.faults.every()]}


def release(knock: Knock) -> dict[str, Any]:
    """Let the calls go that a fault holds; it holds no more."""
    fault = knock.service.faults.find(knock.path["fault_id"])
    if fault is None:
        raise UnknownError(f"no fault {knock.path['fault_id']}")
    released = fault.held
    fault.released.set()
    return {"fault_id": fault.id, "released": released}


def clear(knock: Knock) -> dict[str, Any]:
    """Take all faults away; held calls go on."""
    knock.service.faults.clear()
    return {"faults": []}


def _shown(fault: Fault) -> dict[str, Any]:
    asked: dict[str, Any] = msgspec.to_builtins(fault.request)
    return {"fault_id": fault.id, **asked, "fired": fault.fired, "held": fault.held}


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/faults"): plant,
    ("GET", "/faults"): show,
    ("DELETE", "/faults"): clear,
    ("POST", "/faults/{fault_id}/release"): release,
}

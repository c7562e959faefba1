"""/platypus/faults: plant, look at, release and take away faults; an Item's script of them."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from platypus_bank.control.door import Action, Knock, RefusedError, UnknownError
from platypus_bank.faults.asked import ANY_PATH, Asked, FaultRequest, NamedFault
from platypus_bank.faults.catalogue import entries, is_survived
from platypus_bank.faults.named import CallFault, Named
from platypus_bank.faults.planted import Fault, Pause, Step
from platypus_bank.faults.planting import OddWishError, fault_of, plant


class FaultScript(Struct, kw_only=True, forbid_unknown_fields=True):
    """Steps that an Item's next calls meet in order: `{calls: n}` pass, then a fault, and so on."""

    steps: Annotated[list[dict[str, Any]], Meta(max_length=1000)]


def make(knock: Knock) -> dict[str, Any]:
    """Plant a fault, by its name or by hand; returns the id of it, or of the last of several."""
    is_named = "name" in knock.body
    asked: Asked = knock.read(NamedFault) if is_named else knock.read(FaultRequest)
    try:
        ids = plant(knock.service.world, knock.service.faults, asked)
    except (OddWishError, ValueError) as problem:
        raise RefusedError(str(problem)) from problem
    return {"fault_id": ids[-1], "fault_ids": ids}


def show_catalogue(knock: Knock) -> dict[str, Any]:
    """Return every fault that has a name."""
    del knock
    return {"faults": [_entry(each) for each in entries()]}


def _entry(known: Named) -> dict[str, Any]:
    return {
        "name": known.name,
        "does": known.does,
        "paths": known.paths if isinstance(known, CallFault) else None,
        "parameters": known.parameters,
        "in_everything": is_survived(known),
    }


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
    """Take all faults and scripts away; held calls go on."""
    knock.service.faults.clear()
    return {"faults": []}


def _shown(fault: Fault) -> dict[str, Any]:
    asked: dict[str, Any] = msgspec.to_builtins(fault.request)
    told = {"times": fault.request.times_max, "fired": fault.fired, "held": fault.held}
    return {"fault_id": fault.id, "name": None, **asked, **told}


def script(knock: Knock) -> dict[str, Any]:
    """Write the script of faults that an Item's next calls meet, in place of what it still had."""
    item = knock.item()
    try:
        steps = [_step(each, item.id) for each in knock.read(FaultScript).steps]
        knock.service.faults.write_script(item.id, steps)
    except (OddWishError, ValueError) as problem:
        raise RefusedError(str(problem)) from problem
    return show_script(knock)


def _step(given: dict[str, Any], item_id: str) -> Step:
    try:
        if "calls" in given:
            return msgspec.convert(given, Pause)
        if "name" in given:
            asked: Asked = msgspec.convert(given, NamedFault)
        else:
            asked = msgspec.convert({"path": ANY_PATH, **given}, FaultRequest)
    except msgspec.ValidationError as problem:
        raise RefusedError(f"step {given}: {problem}") from problem
    if asked.chance is not None or asked.times == 0 or asked.item_id not in (None, item_id):
        raise OddWishError("a step has an end, no chance, and is of its own Item")
    asked.item_id = item_id
    return fault_of(asked)


def show_script(knock: Knock) -> dict[str, Any]:
    """Return the steps that an Item's calls have yet to meet."""
    steps = knock.service.faults.script(knock.item().id)
    return {
        "steps": [
            _shown(each) if isinstance(each, Fault) else msgspec.to_builtins(each) for each in steps
        ]
    }


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/faults"): make,
    ("GET", "/faults"): show,
    ("DELETE", "/faults"): clear,
    ("GET", "/faults/catalogue"): show_catalogue,
    ("POST", "/faults/{fault_id}/release"): release,
    ("GET", "/items/{item_id}/faults"): show_script,
    ("POST", "/items/{item_id}/faults"): script,
}

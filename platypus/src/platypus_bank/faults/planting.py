"""From what a test asks for to planted faults: names are looked up, odd wishes refused."""

from typing import get_args

from msgspec.structs import replace

from platypus_bank.faults import spoiling
from platypus_bank.faults.asked import Asked, FaultRequest, NamedFault, Parameter, covers
from platypus_bank.faults.catalogue import (
    CALL_FAULTS,
    EVERYTHING,
    PUBLISHED_LIMITS,
    WEBHOOK_FAULTS,
)
from platypus_bank.faults.named import CallFault, WebhookFault
from platypus_bank.faults.planted import Fault, Faults
from platypus_bank.webhooks import trouble
from platypus_bank.webhooks.trouble import Match, TroubleRequest
from platypus_bank.world import World

EVERYTHING_CHANCE = 0.05
_PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)


class OddWishError(Exception):
    """No such fault, or not with these parameters; the message says which there are."""


def plant(world: World, faults: Faults, asked: Asked) -> list[str]:
    """Plant what was asked for; returns the ids. Raises OddWishError, ValueError (too many)."""
    if isinstance(asked, FaultRequest):
        return _plant_calls(faults, [fault_of(asked)])
    if asked.name == EVERYTHING:
        return _plant_everything(world, faults, asked)
    if asked.name == PUBLISHED_LIMITS:
        _check(asked, ())
        world.charter.settings.rate_limits = "published"
        world.save()
        return ["rate_limits"]
    known = WEBHOOK_FAULTS.get(asked.name)
    if known is not None:
        return [trouble.plant(world, _trouble(known, asked), known.name).id]
    return _plant_calls(faults, [fault_of(asked)])


def fault_of(asked: Asked) -> Fault:
    """Return a fault of calls, not yet planted; raises OddWishError."""
    if isinstance(asked, FaultRequest):
        return Fault(
            id="",
            request=asked,
            paths=(asked.path,),
            spoil=spoiling.by_hand,
            fits=spoiling.any_call,
        )
    known = CALL_FAULTS.get(asked.name)
    if known is None:
        raise OddWishError(
            f"no fault of calls is called {asked.name!r}; see /platypus/faults/catalogue"
        )
    _check(asked, known.parameters)
    if known.bound and asked.path not in (None, *known.paths):
        raise OddWishError(f"{known.name} is only of {', '.join(known.paths)}")
    return Fault(
        id="",
        request=asked,
        paths=known.paths if asked.path is None else (asked.path,),
        spoil=known.spoil,
        fits=known.fits,
    )


def _plant_calls(faults: Faults, made: list[Fault]) -> list[str]:
    faults.plant(made)
    return [each.id for each in made]


def _plant_everything(world: World, faults: Faults, asked: NamedFault) -> list[str]:
    chance = EVERYTHING_CHANCE if asked.chance is None else asked.chance
    each_of = replace(asked, chance=chance)
    retried = [each for each in CALL_FAULTS.values() if each.retried and _meets(each, asked.path)]
    calls = [fault_of(_narrowed(each_of, each)) for each in retried]
    planted = _plant_calls(faults, calls)
    for each in () if asked.path is not None else WEBHOOK_FAULTS.values():
        wanted = _trouble(each, _narrowed(each_of, each))
        planted.append(trouble.plant(world, wanted, each.name).id)
    return planted


def _meets(known: CallFault, path: str | None) -> bool:
    return path is None or any(covers(each, path) or covers(path, each) for each in known.paths)


def _narrowed(asked: NamedFault, known: CallFault | WebhookFault) -> NamedFault:
    """Return the wish for one of everything, with those parameters that it takes."""
    foreign = {each: None for each in _PARAMETERS if each not in known.parameters}
    is_bound = isinstance(known, CallFault) and known.bound
    path = None if is_bound else asked.path
    return replace(asked, name=known.name, path=path, **foreign)


def _trouble(known: WebhookFault, asked: NamedFault) -> TroubleRequest:
    _check(asked, known.parameters)
    if asked.path is not None:
        raise OddWishError(f"{known.name} is of webhooks, which have no path")
    return replace(
        known.trouble(asked),
        match=Match(
            webhook_type=asked.webhook_type,
            webhook_code=asked.webhook_code,
            item_id=asked.item_id,
        ),
        after=asked.after,
        times=asked.times,
        chance=asked.chance,
    )


def _check(asked: NamedFault, taken: tuple[Parameter, ...]) -> None:
    """Raise OddWishError for parameters that a fault does not take."""
    odd = [each for each in _PARAMETERS if each not in taken and getattr(asked, each) is not None]
    if odd:
        named = f"{', '.join(taken)}; not" if taken else "no"
        raise OddWishError(f"{asked.name} takes {named} {', '.join(odd)}")

"""/platypus/health, settings, clock, reset, calls: the world as a whole."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from platypus_bank.clock import FIRST, LAST, iso
from platypus_bank.control.door import Action, Knock, RefusedError
from platypus_bank.records import Settings


class Advance(Struct, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock; time never runs backwards."""

    seconds: Annotated[float, Meta(ge=0)]


class Reset(Struct, kw_only=True, forbid_unknown_fields=True):
    """The seed of the new world, None keeps the old one's; and where its clock stands, if it does."""

    seed: int | None = None
    stands_at: datetime | None = None


def health(knock: Knock) -> dict[str, Any]:
    """Say that the server answers."""
    return {"status": "ok", "seed": knock.service.world.charter.seed}


def settings(knock: Knock) -> dict[str, Any]:
    """Return the settings."""
    shown: dict[str, Any] = msgspec.to_builtins(knock.service.world.charter.settings)
    return shown


def change_settings(knock: Knock) -> dict[str, Any]:
    """Change the named settings and return all of them."""
    world = knock.service.world
    knock.body = settings(knock) | knock.body
    world.charter.settings = knock.read(Settings)
    world.save()
    knock.service.timekeeper.look_again()
    return settings(knock)


def clock(knock: Knock) -> dict[str, Any]:
    """Return the world's time."""
    time = knock.service.world.clock
    return {
        "now": iso(time.now()),
        "today": time.today().isoformat(),
        "offset_seconds": time.offset_seconds,
        "stands": time.stands_at is not None,
    }


def advance_clock(knock: Knock) -> dict[str, Any]:
    """Move the world's time on."""
    world, seconds = knock.service.world, knock.read(Advance).seconds
    _check(world.clock.now() + seconds)
    world.clock.advance(seconds)
    world.save()
    return clock(knock)


def stop_clock(knock: Knock) -> dict[str, Any]:
    """Let the world's time stand still, but for advances."""
    knock.service.world.clock.stop()
    knock.service.world.save()
    return clock(knock)


def start_clock(knock: Knock) -> dict[str, Any]:
    """Let the world's time go on from where it stands."""
    knock.service.world.clock.go()
    knock.service.world.save()
    return clock(knock)


def reset(knock: Knock) -> dict[str, Any]:
    """Forget everything: Items, tokens, settings, clock, faults, calls, webhooks."""
    service = knock.service
    wanted = knock.read(Reset)
    at = None if wanted.stands_at is None else _instant(wanted.stands_at)
    service.world.reset(wanted.seed, at)
    service.timekeeper.look_again()
    service.faults.clear()
    service.calls.clear()
    service.rate_limits.clear()
    return health(knock)


def _instant(wanted: datetime) -> float:
    """Return an instant in epoch seconds, of UTC if it does not say; raises RefusedError."""
    aware = wanted if wanted.tzinfo is not None else wanted.replace(tzinfo=UTC)
    return _check(aware.timestamp())


def _check(instant: float) -> float:
    if not FIRST <= instant < LAST:
        raise RefusedError(f"the clock goes from {iso(FIRST)} to {iso(LAST)}")
    return instant


def calls(knock: Knock) -> dict[str, Any]:
    """Return the last Plaid calls, newest last; ?path= and ?item_id= narrow them."""
    found = knock.service.calls.matching(knock.query.get("path"), knock.query.get("item_id"))
    return {"calls": found}


def rates(knock: Knock) -> dict[str, Any]:
    """Return the most Plaid calls in any window, by wall clock; ?path=, ?window_seconds= (60)."""
    wanted, path = knock.query.get("window_seconds", "60"), knock.query.get("path")
    if not wanted.replace(".", "", 1).isdecimal() or not float(wanted):
        raise RefusedError("window_seconds must be a number above 0")
    total, items = knock.service.calls.rates(path, float(wanted))
    return {"path": path, "window_seconds": float(wanted), "total": total, "items": items}


def forget_calls(knock: Knock) -> dict[str, Any]:
    """Empty the log of calls."""
    knock.service.calls.clear()
    return {"calls": []}


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/health"): health,
    ("GET", "/settings"): settings,
    ("POST", "/settings"): change_settings,
    ("GET", "/clock"): clock,
    ("POST", "/clock/advance"): advance_clock,
    ("POST", "/clock/stop"): stop_clock,
    ("POST", "/clock/start"): start_clock,
    ("POST", "/reset"): reset,
    ("GET", "/calls"): calls,
    ("GET", "/calls/rates"): rates,
    ("DELETE", "/calls"): forget_calls,
}

"""The events of a Link session (LinkEvent of the OpenAPI file).

Link's pages tell each step; of a session that the control API went through there are few, always the same.
"""

from typing import Any

from platypus_bank import ids
from platypus_bank.clock import iso
from platypus_bank.records import LinkSession
from platypus_bank.world import World

_BEFORE_CHOICE = ("TRANSITION_VIEW",)
_LOGGING_IN = ("SELECT_INSTITUTION", "SUBMIT_CREDENTIALS")
_DONE = ("HANDOFF",)
_ELSEWHERE = ("timestamp", "link_session_id", "is_update_mode")


def note_success(world: World, session: LinkSession, bank: dict[str, str]) -> None:
    """Add what Link tells when a person logs in and is done with one institution."""
    _note(world, session, _BEFORE_CHOICE, {})
    _note(world, session, (*_LOGGING_IN, *_DONE), _about(bank))


def note_exit(world: World, session: LinkSession, exit_: dict[str, Any]) -> None:
    """Add what Link tells when a person leaves without success."""
    _note(world, session, _BEFORE_CHOICE, {})
    bank = exit_["metadata"]["institution"]
    about = {} if bank is None else _about(bank)
    if bank is not None:
        _note(world, session, _LOGGING_IN[:1], about)
    names = ("error_code", "error_message", "error_type")
    error = {name: exit_["error"][name] for name in names} if exit_["error"] else {}
    _note(world, session, ("EXIT",), about | error | {"exit_status": exit_["metadata"]["status"]})


def _about(bank: dict[str, str]) -> dict[str, Any]:
    return {"institution_id": bank["institution_id"], "institution_name": bank["name"]}


def _note(
    world: World, session: LinkSession, names: tuple[str, ...], metadata: dict[str, Any]
) -> None:
    for name in names:
        known = {**metadata, "request_id": ids.request_id()}
        _add(world, session, name, iso(world.clock.now()), known)


def note_walk(world: World, session: LinkSession, events: list[dict[str, Any]]) -> None:
    """Add what Link's pages told, as onEvent has it: without what is null or stands elsewhere."""
    for each in events:
        told = each["metadata"]
        known = {name: told[name] for name in told if told[name] and name not in _ELSEWHERE}
        _add(world, session, each["name"], told["timestamp"], known)


def _add(
    world: World, session: LinkSession, name: str, at: str | None, metadata: dict[str, Any]
) -> None:
    event = {
        "event_id": world.ids.uuid(),
        "event_name": name,
        "timestamp": at,
        "event_metadata": metadata,
    }
    session.events.insert(0, event)  # newest first, as in Plaid's examples

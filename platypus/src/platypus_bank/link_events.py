"""The events of a Link session (LinkEvent of the OpenAPI file): few, and always the same ones."""

from typing import Any

from platypus_bank import ids
from platypus_bank.clock import iso
from platypus_bank.records import LinkSession
from platypus_bank.seeds.institutions import Institution
from platypus_bank.world import World

_BEFORE_CHOICE = ("TRANSITION_VIEW",)
_LOGGING_IN = ("SELECT_INSTITUTION", "SUBMIT_CREDENTIALS")
_DONE = ("HANDOFF",)


def note_success(world: World, session: LinkSession, bank: Institution) -> None:
    """Add what Link tells when a person logs in and is done with one institution."""
    _note(world, session, _BEFORE_CHOICE, {})
    _note(world, session, (*_LOGGING_IN, *_DONE), _about(bank))


def note_exit(
    world: World, session: LinkSession, bank: Institution | None, exit_: dict[str, Any]
) -> None:
    """Add what Link tells when a person leaves without success."""
    _note(world, session, _BEFORE_CHOICE, {})
    about = {} if bank is None else _about(bank)
    if bank is not None:
        _note(world, session, _LOGGING_IN[:1], about)
    names = ("error_code", "error_message", "error_type")
    error = {name: exit_["error"][name] for name in names} if exit_["error"] else {}
    _note(world, session, ("EXIT",), about | error | {"exit_status": exit_["metadata"]["status"]})


def _about(bank: Institution) -> dict[str, Any]:
    return {"institution_id": bank.institution_id, "institution_name": bank.name}


def _note(
    world: World, session: LinkSession, names: tuple[str, ...], metadata: dict[str, Any]
) -> None:
    for name in names:
        event = {
            "event_id": world.ids.uuid(),
            "event_name": name,
            "timestamp": iso(world.clock.now()),
            "event_metadata": {**metadata, "request_id": ids.request_id()},
        }
        session.events.insert(0, event)  # newest first, as in Plaid's examples

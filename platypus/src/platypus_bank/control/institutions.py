"""/platypus/institutions: a bank that goes down for everybody, and comes back."""

from typing import Any

from msgspec import Struct

from platypus_bank.clock import iso
from platypus_bank.control.door import Action, Knock
from platypus_bank.institution_status import change_status, status_of
from platypus_bank.records import InstitutionStatus
from platypus_bank.seeds.institutions import BY_ID, Health


class Status(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the bank is to fare from now on."""

    status: Health


def show(knock: Knock) -> dict[str, Any]:
    """Return how every bank of this world fares."""
    return {"institutions": [_shown(status_of(knock.service.world, each)) for each in BY_ID]}


def change(knock: Knock) -> dict[str, Any]:
    """Let a bank go down or come back; its Items then make up for what they missed."""
    wanted = knock.read(Status).status
    changed = change_status(knock.service.world, knock.path["institution_id"], wanted)
    knock.service.timekeeper.look_again()
    return _shown(changed)


def _shown(known: InstitutionStatus) -> dict[str, Any]:
    return {
        "institution_id": known.id,
        "status": known.status,
        "last_status_change": iso(known.changed_at),
    }


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/institutions"): show,
    ("POST", "/institutions/{institution_id}/status"): change,
}

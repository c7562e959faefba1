"""/platypus/link/*: what a person does in Link."""

from typing import Any, Literal

from msgspec import Struct

from platypus_bank.control.door import Action, Knock
from platypus_bank.link_sessions import Departure, add, leave
from platypus_bank.opening import Login
from platypus_bank.seeds.people import GOOD, GOOD_PASSWORD

ExitStatus = Literal[
    "requires_questions",
    "requires_selections",
    "requires_code",
    "choose_device",
    "requires_credentials",
    "requires_account_selection",
    "requires_oauth",
    "institution_not_found",
    "institution_not_supported",
]


class Complete(Struct, kw_only=True, forbid_unknown_fields=True):
    """A link token and a person's choices; accounts are named by id, mask or name.

    Without `finish` a multi-Item session stays open for another bank or an exit.
    """

    link_token: str
    institution_id: str = "ins_109508"
    username: str = GOOD
    password: str = GOOD_PASSWORD
    accounts: list[str] | None = None
    finish: bool = True


class Exit(Struct, kw_only=True, forbid_unknown_fields=True):
    """A link token, how far the person came, and what drove them out, if anything did."""

    link_token: str
    status: ExitStatus = "requires_credentials"
    institution_id: str | None = None
    error_code: str | None = None


def complete(knock: Knock) -> dict[str, Any]:
    """Go through Link and return what onSuccess would hand over."""
    given = knock.read(Complete)
    login = Login(
        institution_id=given.institution_id,
        username=given.username,
        password=given.password,
        accounts=given.accounts,
    )
    session = add(knock.service.world, given.link_token, login, finish=given.finish)
    return {"link_session_id": session.id, **session.results[-1]}


def leave_link(knock: Knock) -> dict[str, Any]:
    """Leave Link without another bank and return what onExit would hand over."""
    given = knock.read(Exit)
    departure = Departure(
        status=given.status, institution_id=given.institution_id, error_code=given.error_code
    )
    session = leave(knock.service.world, given.link_token, departure)
    return {"link_session_id": session.id, "exit": session.exit}


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/link/complete"): complete,
    ("POST", "/link/exit"): leave_link,
}

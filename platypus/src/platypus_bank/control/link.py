"""/platypus/link/complete: what a person does in Link."""

from typing import Any

from msgspec import Struct

from platypus_bank.control.door import Action, Knock
from platypus_bank.link_sessions import finish
from platypus_bank.opening import Login
from platypus_bank.seeds.people import GOOD


class Complete(Struct, kw_only=True, forbid_unknown_fields=True):
    """A link token and a person's choices; accounts are named by id, mask or name."""

    link_token: str
    institution_id: str = "ins_109508"
    username: str = GOOD
    password: str = "pass_good"  # noqa: S105 - Plaid's documented test password
    accounts: list[str] | None = None


def complete(knock: Knock) -> dict[str, Any]:
    """Go through Link and return what onSuccess would hand over."""
    given = knock.read(Complete)
    login = Login(
        institution_id=given.institution_id,
        username=given.username,
        password=given.password,
        accounts=given.accounts,
    )
    session = finish(knock.service.world, given.link_token, login)
    return {"link_session_id": session.id, **session.result}


ACTIONS: dict[tuple[str, str], Action] = {("POST", "/link/complete"): complete}

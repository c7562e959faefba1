"""What Link tells the page that opened it: its events, and how it ends.

https://plaid.com/docs/link/web/#onevent
"""

from typing import Any

from platypus_bank import ids
from platypus_bank.clock import iso
from platypus_bank.endpoints.link import is_multi_item
from platypus_bank.errors import PlaidError
from platypus_bank.link_pages.choices import institutions
from platypus_bank.records import LinkSession, LinkToken, LinkWalk
from platypus_bank.seeds import mfa
from platypus_bank.seeds.institutions import BY_ID
from platypus_bank.world import World

_KEYS = (
    "account_number_mask", "error_code", "error_message", "error_type", "exit_status",
    "institution_id", "institution_name", "institution_search_query", "is_update_mode",
    "link_session_id", "match_reason", "mfa_type", "request_id", "routing_number", "selection",
    "timestamp", "view_name",
)  # fmt: skip
_ERROR_KEYS = ("error_type", "error_code", "error_message", "display_message")
_VIEWS = {
    "consent": "CONSENT",
    "institution": "SELECT_INSTITUTION",
    "credentials": "CREDENTIAL",
    "oauth": "OAUTH",
    "mfa": "MFA",
    "accounts": "SELECT_ACCOUNT",
    "error": "ERROR",
    "done": "CONNECTED",
}
_STATUSES = {
    "oauth": "requires_oauth",
    "bank": "requires_oauth",
    "accounts": "requires_account_selection",
}
_UNSUPPORTED = ("INSTITUTION_NO_LONGER_SUPPORTED", "PRODUCTS_NOT_SUPPORTED")
_MFA_STATUSES = {
    "device": "choose_device",
    "code": "requires_code",
    "questions": "requires_questions",
    "selections": "requires_selections",
}


def show(world: World, walk: LinkWalk, pane: str) -> None:
    """Bring up a pane, and tell which view that is."""
    walk.pane = pane
    if pane in _VIEWS:
        walk.events.append(event(world, walk, "TRANSITION_VIEW", view_name=_VIEWS[pane]))


def tell(world: World, walk: LinkWalk, name: str, **known: str) -> None:
    """Tell an event."""
    walk.events.append(event(world, walk, name, **known))


def event(world: World, walk: LinkWalk, name: str, **known: str) -> dict[str, Any]:
    """Return an event: every key is there, most of them null."""
    metadata: dict[str, Any] = dict.fromkeys(_KEYS)
    bank = BY_ID.get(walk.institution_id or "")
    if bank is not None:
        metadata |= {"institution_id": bank.institution_id, "institution_name": bank.name}
    if walk.pane == "mfa":
        metadata["mfa_type"] = mfa.rounds(walk.password)[walk.mfa_round].kind
    metadata |= known | {
        "link_session_id": walk.id,
        "request_id": ids.request_id(),
        "timestamp": iso(world.clock.now()),
    }
    return {"name": name, "metadata": metadata}


def fail(world: World, walk: LinkWalk, problem: PlaidError) -> None:
    """Keep an error for the pane and for the exit, and tell it."""
    body = problem.body()
    walk.error = {name: body[name] for name in _ERROR_KEYS}
    tell(world, walk, "ERROR", **_named_error(walk))


def ending(world: World, walk: LinkWalk, token: LinkToken) -> dict[str, Any]:
    """Return how Link would end here and now: the last event, and what the callback is given."""
    session = world.store.get(LinkSession, walk.id)
    if session is None or not session.results:
        return departure(world, walk, _status(walk, token))
    success = _several(walk) if is_multi_item(token) else _success(walk, session.results[-1])
    return {"event": event(world, walk, "HANDOFF"), "success": success}


def departure(world: World, walk: LinkWalk, status: str) -> dict[str, Any]:
    """Return how Link ends without success; `status` is how far the person came."""
    bank = BY_ID.get(walk.institution_id or "")
    metadata = {
        "institution": bank and bank.named(),
        "status": status,
        "link_session_id": walk.id,
        "request_id": ids.request_id(),
    }
    last = event(world, walk, "EXIT", exit_status=status, **_named_error(walk))
    return {"event": last, "exit": {"error": walk.error, "metadata": metadata}}


def _named_error(walk: LinkWalk) -> dict[str, str]:
    return {name: walk.error[name] for name in _ERROR_KEYS[:3]} if walk.error else {}


def _status(walk: LinkWalk, token: LinkToken) -> str:
    pane = walk.again if walk.pane == "error" else walk.pane
    if walk.error is not None and walk.error["error_code"] in _UNSUPPORTED:
        return "institution_not_supported"
    if pane == "mfa":
        return _MFA_STATUSES[mfa.rounds(walk.password)[walk.mfa_round].kind]
    if pane == "institution" and not institutions(token, walk):
        return "institution_not_found"
    return _STATUSES.get(pane, "requires_credentials")


def _success(walk: LinkWalk, result: dict[str, Any]) -> dict[str, Any]:
    accounts = result["accounts"]
    metadata = {
        "institution": result["institution"],
        "accounts": accounts,
        "account": accounts[0] if accounts else None,
        "link_session_id": walk.id,
        "transfer_status": None,
    }
    return {"public_token": result["public_token"], "metadata": metadata}


def _several(walk: LinkWalk) -> dict[str, Any]:
    """Return what a multi-Item session ends with: its public tokens come by webhook or polling."""
    nothing: dict[str, Any] = {"institution": None, "accounts": [], "transfer_status": None}
    return {"public_token": None, "metadata": {**nothing, "link_session_id": walk.id}}

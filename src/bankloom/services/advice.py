"""What people are told about a state or an error: what it means, and what to do next.

One table, closed by default: what is in none of its parts is for an operator to look at. The
doors that it names are those of docs/routes/plaid.md.
"""

from __future__ import annotations

from bankloom.models import ClaimState, ItemState
from bankloom.services.plaid_errors import GONE, TOKEN_LOST, Remedy, remedy_of_code

_UPDATE_MODE = "POST /plaid/items/{item_id}/link-token"
_BY_ITSELF = "Nothing need be done: it is tried again by itself, see next_try_at."
_AT_THE_BANK_FIRST = (
    "The bank wants the person to act at its own site first. Ask them to, then send them through "
    f"Link's update mode: {_UPDATE_MODE} with reason repair."
)

_BY_STATE = {
    ItemState.NEW: "Linked, and not proven by a first sync yet. Nothing need be done.",
    ItemState.HEALTHY: "All is well.",
    ItemState.DEGRADED: "Some of it does not work; its products say what, and when it is tried again.",
    ItemState.NEEDS_RELINK: (
        "The person must act at Link. Send them through its update mode: "
        f"{_UPDATE_MODE} with reason repair."
    ),
    ItemState.DISCONNECTING: (
        "Plaid will cut this Item off, at disconnect_at or at consent_expires_at. Send the person "
        f"through Link's update mode before: {_UPDATE_MODE} with reason repair."
    ),
    ItemState.REVOKED: (
        "The access is gone, and no update mode brings it back. Link the bank anew; what was "
        "pulled stays."
    ),
    ItemState.REMOVED: "The Item was removed. Link the bank anew to go on.",
}
_BY_REMEDY = {
    Remedy.RETRY: f"Plaid or the bank can't answer just now. {_BY_ITSELF}",
    Remedy.RESTART_LOOP: f"The data kept changing while it was read. {_BY_ITSELF}",
    Remedy.REBUILD: f"Plaid did not take our place in its changes. {_BY_ITSELF}",
    Remedy.NOT_READY: f"Plaid has not got the data yet. {_BY_ITSELF}",
    Remedy.REREAD_ACCOUNTS: f"Plaid no longer knows one of the accounts. {_BY_ITSELF}",
    Remedy.RELINK: (
        "The bank wants the person to log in again. Send them through Link's update mode: "
        f"{_UPDATE_MODE} with reason repair."
    ),
    Remedy.CONSENT_NEEDED: (
        "The person has not agreed to this product. Send them through Link's update mode: "
        f"{_UPDATE_MODE} with reason products."
    ),
    Remedy.NOT_SUPPORTED: "This bank, or this login, does not have the product. Do without it.",
    Remedy.PERMANENT: (
        "No waiting mends this. Look at the error, mend its cause, then sync the Item: "
        "POST /plaid/sync, or bankloom items sync."
    ),
}
_BY_CODE = {
    **dict.fromkeys(GONE, _BY_STATE[ItemState.REVOKED]),
    TOKEN_LOST: (
        "Plaid changed the access token, and the new one was lost on its way to us. Link the bank "
        "anew, and remove this Item in Plaid's Dashboard: nobody holds it, and Plaid may bill it."
    ),
    "NO_ACCOUNTS": (
        "No account is shared any more. Send the person through Link's update mode to choose some: "
        f"{_UPDATE_MODE} with reason accounts."
    ),
    "ITEM_LOCKED": _AT_THE_BANK_FIRST,
    "USER_SETUP_REQUIRED": _AT_THE_BANK_FIRST,
    "PASSWORD_RESET_REQUIRED": _AT_THE_BANK_FIRST,
    "INVALID_API_KEYS": (
        "Plaid does not take our keys. Set PLAID_SECRET to that of the Dashboard where it comes from; "
        "a file or a secrets manager is read again by itself. For PLAID_CLIENT_ID, or where they come "
        "from the environment, start again. Then every Item goes on by itself."
    ),
    "rebuild_needs_consent": (
        "Plaid's history lacks many stored transactions. Look at them, then repeat the sync with "
        "allow_removals: true."
    ),
    "world_mismatch": (
        "The Item is of another Plaid environment, host or client than the settings name. Mend "
        "PLAID_ENV, PLAID_BASE_URL and PLAID_CLIENT_ID."
    ),
    "seal_broken": (
        "The keyring does not open the access token. Give the missing key back, as "
        "BANKLOOM_ENCRYPTION_KEYS or as the file keyring of the data folder."
    ),
    "cancelled": "Somebody cancelled the run. Its schedule goes on, or sync the Item: POST /plaid/sync.",
}
_BY_CLAIM = {
    ClaimState.HELD: (
        "The person has linked these accounts before, and nothing was exchanged. Keep the Item that "
        "is named here, or link them a second time with allow_duplicate: true."
    ),
    ClaimState.POSSIBLE_ORPHAN: (
        "Plaid took the public token, and its answer was lost. If Plaid's Dashboard shows an Item "
        "without owner, remove it there; then have the person link again."
    ),
}


def about_state(state: str) -> str:
    """Return the words for a state of an Item."""
    return _BY_STATE[ItemState(state)]


def about_error(code: str, *, is_tried_again: bool) -> str:
    """Return the words for an error code; what is tried again by itself is nobody's task."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    what = remedy_of_code(code)
    if what is Remedy.PERMANENT and is_tried_again:
        what = Remedy.RETRY  # of a type that passes: the code alone does not tell
    return _BY_REMEDY[what]


def about_claim(state: str) -> str:
    """Return the words for an exchange that waits for a person."""
    return _BY_CLAIM[ClaimState(state)]

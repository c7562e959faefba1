"""Two people who have linked banks, and all by which a request can name what is theirs."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bankloom.models import ApiKey, Scope, User
from link_scenes import update_mode
from scenes import bank_account, exchange, newcomer, person, purchases

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ADA, GRACE = "ada", "grace"

NEVER_EXISTED: Mapping[str, Any] = {
    "item_id": "Q" * 37,
    "duplicate_of": "Q" * 37,
    "account_id": "Q" * 37,
    "user_id": "nobody",
    "run_id": "1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a11",
    "link_session_id": "1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a12",
    "key_id": "1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a13",
    "receipt_id": "1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a17",
    "access_token": "access-sandbox-1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a14",
    "public_token": "public-sandbox-1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a15",
    "link_token": "link-sandbox-1b0b8f0a-3f0c-4f0e-9a53-6f9d7a1f2a16",
}
"""By the name of a parameter or field: what names a thing of somebody, and here of nobody."""


def things_of(api: Api, runtime: Runtime, bank: Running, user: str) -> dict[str, Any]:
    """Link for a person; return what names each of their things, for every name of `NEVER_EXISTED`.

    The public token is unspent and the link token the one it came from; both sessions are open.
    """
    account = bank_account(f"Of {user}", transactions=purchases(3))
    linked = newcomer(api, bank, user, **person(account))
    told = exchange(api, linked.public_token).json()
    api.sync_until_complete(linked.item_id)
    waiting = newcomer(api, bank, user, **person(bank_account(f"New of {user}", "0002")))
    session = update_mode(api, linked.item_id)
    erased = newcomer(api, bank, user, **person(bank_account(f"Old of {user}", "0003")))
    exchange(api, erased.public_token)
    return {
        "receipt_id": api.client.delete(f"/plaid/items/{erased.item_id}").json()["receipt_id"],
        "user_id": user,
        "item_id": linked.item_id,
        "duplicate_of": linked.item_id,
        "account_id": api.accounts(user_id=user)[0]["account_id"],
        "run_id": api.sync(linked.item_id)["run_id"],
        "link_session_id": session["link_session_id"],
        "access_token": told["access_token"],
        "public_token": waiting.public_token,
        "link_token": waiting.link_token,
        "key_id": str(_key(runtime, user)[1]),
    }


def key_of(runtime: Runtime, user: str | None, *scopes: Scope, **more: Any) -> str:
    """Make a key that reaches one person, or everyone; without scopes it has all that it may have."""
    return _key(runtime, user, *scopes, **more)[0]


def _key(runtime: Runtime, user: str | None, *scopes: Scope, **more: Any) -> tuple[str, uuid.UUID]:
    with runtime.database.session() as session:
        user_id = User.get_or_create(session, user).id if user else None
        made = ApiKey.create(session, f"of {user}", user_id, scopes=scopes, **more)
        return made.text, made.row.id


def unknown_key(known: str) -> str:
    """Return a key of the right form that was never made, with the public prefix of one that was."""
    return known[:12] + secrets.token_urlsafe(32)

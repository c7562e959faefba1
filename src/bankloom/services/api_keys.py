"""Makes API keys, lists and revokes them; an app mints short-lived ones for its own front end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bankloom.core import clock
from bankloom.core.access_errors import UnauthorizedError
from bankloom.core.errors import InvalidRequestError, NotFoundError
from bankloom.models import ApiKey, Scope, User
from bankloom.models.api_key import fitting_scopes
from bankloom.services import audit
from bankloom.services.api_access import EVERYONE

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.models.api_key import NewKey
    from bankloom.services.api_access import Caller
    from bankloom.services.runtime import Runtime

TEXT_MAX = 512
MINTED_SECONDS_MAX = 86_400
"""A minted key lies in a browser or on a phone: a day is the longest that one is good for."""


class WantedKey(NamedTuple):
    """What a key is to be: `user_name` None reaches everyone, `expires_at` None lasts until revoked."""

    name: str
    scopes: Collection[Scope]
    user_name: str | None = None
    owner: str | None = None
    expires_at: datetime | None = None


def create(runtime: Runtime, wanted: WantedKey) -> NewKey:
    """Make a lasting key.

    Errors: `InvalidRequestError` for a user's key with scope `admin`, and for texts that can't name
    a person or a key: an empty `user_name` must not reach everyone.
    """
    _check_texts(wanted)
    with runtime.database.session() as session:
        return _create(runtime, session, audit.Action.KEY_CREATED, wanted)


def mint(runtime: Runtime, caller: Caller, wanted: WantedKey, seconds: int) -> NewKey:
    """Make a user's key that ends after these seconds, or with the key that asks for it.

    Revoking that key revokes it too. Errors: `InvalidRequestError` for scope `admin`;
    `UnauthorizedError` where that key has ended meanwhile.
    """
    at = clock.now()
    ends = at + timedelta(seconds=min(seconds, MINTED_SECONDS_MAX))
    wanted = wanted._replace(expires_at=min(ends, caller.expires_at or ends))
    with runtime.database.session() as session:
        if caller.key_id and not ApiKey.may_mint(session, caller.key_id, at):
            raise UnauthorizedError
        minting = {"minted": True, "minted_by": caller.key_id}
        return _create(runtime, session, audit.Action.KEY_MINTED, wanted, **minting)


def revoke(runtime: Runtime, name: uuid.UUID | str) -> tuple[ApiKey, int]:
    """End a key and all that it minted, from now on; return it, and how many keys that ended.

    It is named by its id or its public prefix. Errors: `NotFoundError`.
    """
    with runtime.database.session() as session:
        key = ApiKey.find(session, name)
        if key is None:
            raise NotFoundError("There is no such key. `bankloom keys list` shows all of them.")
        ended = ApiKey.revoke(session, key.id, clock.now())
        if ended:
            _note(runtime, session, audit.Action.KEY_REVOKED, key, ended=ended)
        return key, ended


def _create(
    runtime: Runtime,
    session: Session,
    action: audit.Action,
    wanted: WantedKey,
    **minting: Any,
) -> NewKey:
    if wanted.user_name == EVERYONE:
        raise InvalidRequestError(
            "A key reaches one person, or everyone if it names nobody: not *."
        )
    user = None if wanted.user_name is None else User.get_or_create(session, wanted.user_name)
    user_id = user.id if user else None
    unfit = set(wanted.scopes) - set(fitting_scopes(user_id))
    if unfit or not wanted.scopes:
        raise InvalidRequestError(
            "A key needs at least one scope, and one that reaches a single user can't have `admin`."
        )
    made = ApiKey.create(
        session,
        wanted.name,
        user_id,
        scopes=wanted.scopes,
        owner=wanted.owner,
        expires_at=wanted.expires_at,
        **minting,
    )
    ends = wanted.expires_at and wanted.expires_at.isoformat(timespec="seconds")
    _note(runtime, session, action, made.row, scopes=made.row.scopes, expires_at=ends)
    return made


def _check_texts(wanted: WantedKey) -> None:
    given = (wanted.name, wanted.user_name, wanted.owner)
    fits = all(
        0 < len(text) <= TEXT_MAX and text.isprintable() for text in given if text is not None
    )
    if not fits:
        raise InvalidRequestError(
            f"Name, user and owner are printable texts of 1 to {TEXT_MAX} characters; leave the user "
            "out for a key that reaches everyone. No key was made."
        )


def _note(
    runtime: Runtime, session: Session, action: audit.Action, key: ApiKey, **facts: Any
) -> None:
    audit.note(runtime, session, action, user_id=key.user_id, key=key.prefix, **facts)

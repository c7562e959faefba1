"""Who may call: the service key of the settings, or a key of the database."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.access_errors import ScopeRequiredError, UnauthorizedError
from bankloom.core.errors import NotFoundError, UserRequiredError
from bankloom.models import Account, ApiKey, Item, Scope, User
from bankloom.services import audit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

EVERYONE = "*"
NOBODY = uuid.UUID(int=0)
"""The id of no user: a filter for a user who does not exist finds nothing."""


@dataclass(frozen=True)
class Caller:
    """Whom a request's key reaches, one user or all of them where `user_id` is None, and for what.

    `name` is what tells of the key without telling it: its public prefix, or where it comes from.
    """

    user_id: uuid.UUID | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    name: str = "settings"
    key_id: uuid.UUID | None = None
    expires_at: datetime | None = None

    @property
    def may_see_tokens(self) -> bool:
        """Whether a raw access token is ever told: a person's key is in a browser or on a phone."""
        return self.user_id is None

    def require(self, scopes: Iterable[str]) -> None:
        """Refuse a key without one of these scopes. Errors: `ScopeRequiredError`, naming it."""
        for scope in scopes:
            if scope not in self.scopes:
                raise ScopeRequiredError(scope)

    def require_everyone(self) -> None:
        """Refuse a key that reaches one user only. Errors: `NotFoundError`."""
        if self.user_id is not None:
            raise NotFoundError("This tells of everyone, and this key reaches one user only.")

    def scope(
        self,
        session: Session,
        asked: str | None,
        *,
        item_id: str | None = None,
        account_ids: Collection[str] = (),
    ) -> uuid.UUID | None:
        """Return the user that a list is confined to; None for everyone.

        Errors: `UserRequiredError` where a key that reaches everyone names nobody and a second
        user exists, so that a forgotten filter never shows everyone's money; `NotFoundError` where
        a user's key names another, or the filter an Item or account that is not within its reach.
        """
        user_id = self._whom(session, asked)
        if item_id is not None:
            self.item_kept(session, item_id)
        if account_ids and not Account.are_all_of(session, account_ids, self.user_id):
            raise NotFoundError("There is no account of that account_id here.")
        return user_id

    def _whom(self, session: Session, asked: str | None) -> uuid.UUID | None:
        if self.user_id is not None:
            self.person(session, asked)
            return self.user_id
        if asked == EVERYONE:
            return None
        if asked is None:
            if User.more_than_one(session):
                raise UserRequiredError
            return None
        user = User.find(session, asked)
        return user.id if user else NOBODY

    def person(self, session: Session, asked: str | None) -> str | None:
        """Return the name of whom a request acts for: the key's own user, or whom it asked for.

        Errors: `NotFoundError` where the key belongs to another user.
        """
        if self.user_id is None:
            return asked
        user = session.get(User, self.user_id)
        if user is None:  # erased since this call came in
            raise UnauthorizedError
        name = user.name
        if asked not in {None, name}:
            raise NotFoundError("This key reaches one user only, and it is not that one.")
        return name

    def item(self, session: Session, item_id: str | None, token_hash: str | None) -> Item:
        """Return an Item that the caller may touch. Errors: `NotFoundError`."""
        found = (
            Item.find(session, item_id)
            if item_id
            else Item.find_by_token_hash(session, token_hash or "")
        )
        if found is None or self.user_id not in {None, found.user_id}:
            raise NotFoundError("There is no Item of that id or access token here.")
        return found

    def item_kept(self, session: Session, item_id: str) -> Item:
        """Return such an Item, a removed one whose history was kept too. Errors: `NotFoundError`."""
        found = Item.find_kept(session, item_id)
        if found is None or self.user_id not in {None, found.user_id}:
            raise NotFoundError("There is no Item of that id here.")
        return found


def authenticate(runtime: Runtime, key: str) -> Caller:
    """Return the caller behind a key, compared in constant time. Errors: `UnauthorizedError`."""
    service_key = runtime.settings.api_key
    if service_key and hmac.compare_digest(key.encode(), service_key.get_secret_value().encode()):
        return Caller()
    at = clock.now()
    with runtime.database.session() as session:
        row = ApiKey.verify(session, key, at)
        if row is None:
            raise UnauthorizedError
        ApiKey.touch(session, row.id, at)
        return caller_with(row)


def caller_with(key: ApiKey) -> Caller:
    """Return who calls with a stored key."""
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    return Caller(key.user_id, scopes, key.prefix, key.id, key.expires_at)


def first_key(runtime: Runtime) -> str | None:
    """Make the service key of a new database and return it to be shown once; None if there is one."""
    if runtime.settings.api_key:
        return None
    with runtime.database.session() as session:
        made = ApiKey.create_first(session, "first service key")
        if made is None:
            return None
        key, row = made
        created = audit.Action.KEY_CREATED
        audit.note(runtime, session, created, key=row.prefix, scopes=row.scopes)
        return key

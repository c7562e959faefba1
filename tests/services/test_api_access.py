"""Who may call, and whose data a call reaches."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from bankloom.core import clock
from bankloom.core.access_errors import UnauthorizedError
from bankloom.core.errors import NotFoundError, UserRequiredError
from bankloom.models import ApiKey, User
from bankloom.services import api_access
from bankloom.services.api_access import EVERYONE, NOBODY, Caller, authenticate, first_key
from harness import API_KEY, settings_for, wait_until
from scenes import background, query

if TYPE_CHECKING:
    import uuid
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


def new_user(parts: Runtime, name: str) -> uuid.UUID:
    with parts.database.session() as session:
        return User.get_or_create(session, name).id


def new_key(parts: Runtime, user_id: uuid.UUID | None = None, **changes: Any) -> str:
    """Make a key, with these of its columns changed afterwards."""
    with parts.database.session() as session:
        key, row = ApiKey.create(session, "a key", user_id)
        for name, value in changes.items():
            setattr(row, name, value)
    return key


def test_the_key_of_the_settings_reaches_everyone(parts: Runtime) -> None:
    """BANKLOOM_API_KEY is a service key."""
    assert authenticate(parts, API_KEY) == Caller(None)


def test_a_stored_key_reaches_whom_it_was_made_for(parts: Runtime) -> None:
    """A key of a user is confined to that user; one of nobody reaches all."""
    ada = new_user(parts, "ada")
    assert authenticate(parts, new_key(parts, ada)).user_id == ada
    assert authenticate(parts, new_key(parts)).user_id is None


def test_wrong_keys_are_refused(parts: Runtime) -> None:
    """Empty, cut off, longer, in other letters, or with another secret behind a known prefix."""
    key = new_key(parts)
    wrong = ["", "x", key[:-1], key + "x", key.upper(), key[:11] + "x" * 32, key[:11], API_KEY[:-1]]
    for each in [*wrong, API_KEY + " ", "ключ"]:
        with pytest.raises(UnauthorizedError):
            authenticate(parts, each)


def test_a_revoked_or_expired_key_opens_nothing(parts: Runtime) -> None:
    """From the instant of revocation or expiry on; until then it works."""
    at = clock.now()
    alive = new_key(parts, expires_at=at + timedelta(minutes=1))
    assert authenticate(parts, alive).user_id is None
    revoked, expired = new_key(parts, revoked_at=at), new_key(parts, expires_at=at)
    for dead in (revoked, expired):
        with pytest.raises(UnauthorizedError):
            authenticate(parts, dead)


def test_keys_are_compared_in_constant_time() -> None:
    """No comparison of a key or its hash stops at the first difference."""
    for module in (api_access.authenticate, ApiKey.verify):
        source = inspect.getsource(module)
        assert "compare_digest" in source
        assert "key ==" not in source.replace("prefix == key", "")


def test_the_key_itself_is_not_stored(parts: Runtime) -> None:
    """Whoever reads the table can't call."""
    key = new_key(parts)
    with parts.database.session() as session:
        row = session.scalars(select(ApiKey)).one()
    assert key not in str(vars(row))
    assert key[11:] not in str(vars(row))


def test_the_first_key_is_made_once(
    parts: Runtime, bank: Running, database_url: str, tmp_path: Path
) -> None:
    """A database without keys gets one; with one, or with a key of the settings, none is made."""
    assert first_key(parts) is None
    settings = settings_for(bank.url, database_url, tmp_path / "data", api_key=None)
    without = replace(parts, settings=settings)
    key = first_key(without)
    assert key is not None
    assert authenticate(without, key).user_id is None
    assert first_key(without) is None


def test_two_first_starts_make_one_key(
    parts: Runtime, bank: Running, database_url: str, tmp_path: Path
) -> None:
    """Of two processes that start over a new database at once, one shows a key."""
    settings = settings_for(bank.url, database_url, tmp_path / "data", api_key=None)
    without = replace(parts, settings=settings)
    with background() as start:
        with parts.database.session() as session:
            first = ApiKey.create_first(session, "of the other process")
            second = start(first_key, without)
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'api_keys'::regclass"
            wait_until(lambda: query(parts, waiting))
        assert (first is None, second.result()) == (False, None)


def test_a_service_keys_scope(parts: Runtime) -> None:
    """It must name a user once there are two; `*` is everyone; an unknown name reaches nobody."""
    service = Caller()
    with parts.database.session() as session:
        assert service.scope(session, None) is None
    ada = new_user(parts, "ada")
    with parts.database.session() as session:
        assert service.scope(session, None) is None
    new_user(parts, "grace")
    with parts.database.session() as session:
        with pytest.raises(UserRequiredError):
            service.scope(session, None)
        assert service.scope(session, EVERYONE) is None
        assert service.scope(session, "ada") == ada
        assert service.scope(session, "ADA") == NOBODY
        assert service.scope(session, "") == NOBODY


def test_a_users_scope(parts: Runtime) -> None:
    """A user's key reaches that user; naming another is refused as if there were none."""
    ada, _ = new_user(parts, "ada"), new_user(parts, "grace")
    own = Caller(ada)
    with parts.database.session() as session:
        assert own.scope(session, None) == ada
        assert own.scope(session, "ada") == ada
        for other in ("grace", EVERYONE, "nobody"):
            with pytest.raises(NotFoundError):
                own.scope(session, other)


def test_whom_a_request_acts_for(parts: Runtime) -> None:
    """A service key acts for whom it names; a user's key for its own user, and no other."""
    ada = new_user(parts, "ada")
    with parts.database.session() as session:
        assert Caller().person(session, "grace") == "grace"
        assert Caller(ada).person(session, None) == "ada"
        assert Caller(ada).person(session, "ada") == "ada"
        with pytest.raises(NotFoundError):
            Caller(ada).person(session, "grace")

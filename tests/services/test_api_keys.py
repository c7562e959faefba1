"""API keys that are minted and revoked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.core import clock
from bankloom.core.access_errors import UnauthorizedError
from bankloom.core.errors import InvalidRequestError
from bankloom.models import ApiKey, Scope, User
from bankloom.services import api_keys
from bankloom.services.api_access import EVERYONE, authenticate
from bankloom.services.api_keys import WantedKey
from harness import wait_until
from scenes import background, query, waiting_for_locks

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

WANTED = WantedKey("front end", [Scope.READ], "ada")


def test_what_is_minted_while_its_maker_is_revoked_ends_too(parts: Runtime) -> None:
    """The revocation waits for the minting, and sees what came of it."""
    maker = api_keys.create(parts, WantedKey("app", [Scope.ADMIN])).row
    with background() as start:
        with parts.database.session() as session:
            assert ApiKey.may_mint(session, maker.id, clock.now())
            ada = User.get_or_create(session, "ada").id
            ApiKey.create(session, "front end", ada, minted=True, minted_by=maker.id)
            session.flush()
            revoking = start(api_keys.revoke, parts, maker.id)
            wait_until(lambda: waiting_for_locks(parts))
        assert revoking.result()[1] == 2
    assert query(parts, "SELECT 1 FROM api_keys WHERE revoked_at IS NULL") == []


def test_a_key_that_was_revoked_meanwhile_mints_nothing(parts: Runtime) -> None:
    """Though it was good when its request came in."""
    key, row = api_keys.create(parts, WantedKey("app", [Scope.ADMIN]))
    caller = authenticate(parts, key)
    api_keys.revoke(parts, row.prefix)
    with pytest.raises(UnauthorizedError):
        api_keys.mint(parts, caller, WANTED, 900)
    assert len(query(parts, "SELECT 1 FROM api_keys")) == 1


def test_nobody_is_called_everyone(parts: Runtime) -> None:
    """A person of that name would be reached by whoever asks for all."""
    with pytest.raises(InvalidRequestError):
        api_keys.create(parts, WANTED._replace(user_name=EVERYONE))
    assert query(parts, "SELECT 1 FROM users") == []

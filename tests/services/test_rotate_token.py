"""Replacing an Item's access token: the new one is stored before anything else, or its loss is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from bankloom.core.errors import (
    NotFoundError,
    PlaidRefusedError,
    PlaidUnreachableError,
)
from bankloom.services import rotate_token
from bankloom.services.rotate_token import RotationInProgressError, TokenLostError
from commands import bankloom
from harness import environment_for, wait_until
from scenes import SYNC_PATH, ask_plaid, assert_equals_ledger, background, holding, linked, query
from workers import settle

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

INVALIDATE_PATH = "/item/access_token/invalidate"
BROKEN = {"status": 500, "error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}


def access_token(runtime: Runtime, item_id: str) -> str:
    (row,) = query(runtime, "SELECT access_token_sealed FROM items WHERE item_id = :id", id=item_id)
    return runtime.keyring.open(row.access_token_sealed, item_id)


def generation(runtime: Runtime) -> tuple[int, object]:
    """Return the token's generation, and when another one was asked for that is not stored."""
    (row,) = query(runtime, "SELECT token_generation, token_asked_at FROM items")
    return row.token_generation, row.token_asked_at


def state(runtime: Runtime) -> tuple[str, str | None]:
    (row,) = query(runtime, "SELECT state, error_code FROM items")
    return row.state, row.error_code


def test_the_token_is_replaced(
    api: Api, runtime: Runtime, bank: Running, settings: Settings
) -> None:
    """By the command: the new one works, the old one no more, and data goes on from the cursor."""
    item_id = linked(api, bank)
    settle(runtime)
    old = access_token(runtime, item_id)
    ended = bankloom(environment_for(settings), "items", "rotate-token", item_id)
    assert (ended.returncode, ended.stderr) == (0, "")
    new = access_token(runtime, item_id)
    assert old not in ended.stdout
    assert new not in ended.stdout
    assert new != old
    assert generation(runtime) == (2, None)
    bank.control.bulk(item_id, 5)
    wait_until(lambda: api.sync(item_id)["status"] in {"synced", "up_to_date"})
    assert_equals_ledger(api, bank, item_id)
    assert state(runtime) == ("healthy", None)
    assert ask_plaid(bank, "/item/get", access_token=new)["item"]["item_id"] == item_id
    with pytest.raises(NotFoundError):
        rotate_token.now(runtime, "nosuch")


def test_a_run_at_work_is_begun_anew_with_the_new_token(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Its calls meet a void token; it is fenced off, and no person is asked for anything."""
    item_id = linked(api, bank)
    settle(runtime)
    bank.control.bulk(item_id, 20)
    with holding(bank, SYNC_PATH) as hold:
        api.sync(item_id, wait=False)
        hold.reached()
        rotate_token.now(runtime, item_id)
    settle(runtime)
    assert_equals_ledger(api, bank, item_id)
    assert state(runtime) == ("healthy", None)


def test_a_run_between_plaids_answer_and_our_commit_waits(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the token void while the new one is on its way: that is no word about the Item."""
    item_id = linked(api, bank)
    settle(runtime)
    put = rotate_token._Rotation._put

    def late(rotation: rotate_token._Rotation, fresh: str) -> None:
        answer = api.sync(item_id)
        assert answer["error"]["code"] == "plaid_unreachable"
        put(rotation, fresh)

    monkeypatch.setattr(rotate_token._Rotation, "_put", late)
    rotate_token.now(runtime, item_id)
    wait_until(lambda: api.sync(item_id)["status"] == "up_to_date")
    assert state(runtime) == ("healthy", None)


def test_a_lost_answer_is_found_out(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where Plaid has replaced the token and its answer did not come, the Item says what to do."""
    item_id = linked(api, bank)
    settle(runtime)
    old = access_token(runtime, item_id)
    with holding(bank, "/item/get") as hold, background() as start:
        bank.control.fault(INVALIDATE_PATH, drop=True)
        rotation = start(rotate_token.now, runtime, item_id)
        hold.reached()
        ask_plaid(bank, INVALIDATE_PATH, access_token=old)  # what the lost call has done
        hold.release()
        with pytest.raises((TokenLostError, PlaidUnreachableError)) as caught:
            rotation.result()
    if caught.type is PlaidUnreachableError:  # /item/get had been answered before it was held
        api.sync(item_id)
    assert state(runtime) == ("revoked", "ACCESS_TOKEN_LOST")
    item = api.get(f"/plaid/items/{item_id}").json()
    assert "Link the bank anew" in str(item)


def test_silence_that_changed_nothing(api: Api, runtime: Runtime, bank: Running) -> None:
    """The old token is asked whether it still is good; then the call may just be repeated."""
    item_id = linked(api, bank)
    settle(runtime)
    bank.control.fault(INVALIDATE_PATH, drop=True)
    with pytest.raises(PlaidUnreachableError):
        rotate_token.now(runtime, item_id)
    bank.control.fault(INVALIDATE_PATH, error=BROKEN)
    with pytest.raises(PlaidRefusedError):
        rotate_token.now(runtime, item_id)
    assert generation(runtime) == (1, None)
    rotate_token.now(runtime, item_id)
    assert generation(runtime) == (2, None)


def test_a_rotation_that_died_is_known(api: Api, runtime: Runtime, bank: Running) -> None:
    """Killed between Plaid's answer and our commit: others wait for it, then the next run says so."""
    item_id = linked(api, bank)
    settle(runtime)
    rotation = rotate_token._Rotation.begin(runtime, item_id)
    rotation.ask()
    with pytest.raises(RotationInProgressError):
        rotate_token.now(runtime, item_id)
    query(runtime, "UPDATE items SET token_asked_at = now() - interval '1 hour'")
    api.sync(item_id)
    assert state(runtime) == ("revoked", "ACCESS_TOKEN_LOST")
    with pytest.raises(TokenLostError):
        rotate_token.now(runtime, item_id)


def test_a_database_that_is_gone_for_a_moment_costs_no_token(
    api: Api, runtime: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Plaid has given is stored as soon as the database is back."""
    item_id = linked(api, bank)
    settle(runtime)
    put, failures = rotate_token._Rotation._put, [1, 2]

    def fails(rotation: rotate_token._Rotation, fresh: str) -> None:
        if failures:
            failures.pop()
            raise OperationalError("COMMIT", {}, Exception("gone"))
        put(rotation, fresh)

    monkeypatch.setattr(rotate_token._Rotation, "_put", fails)
    monkeypatch.setattr(rotate_token, "_PAUSE_SECONDS", 0)
    rotate_token.now(runtime, item_id)
    assert generation(runtime) == (2, None)
    assert api.sync(item_id)["status"] in {"synced", "up_to_date"}

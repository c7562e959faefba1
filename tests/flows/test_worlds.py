"""Worlds: the money of one Plaid environment never meets that of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.core.errors import WorldMismatchError
from bankloom.opening import open_runtime
from harness import serving
from scenes import linked, query

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from platypus_bank.testing import Running


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"client_id": "another-client"},
        {"env": "production"},
        {"base_url": "https://sandbox.plaid.com"},
    ],
)
def test_a_start_in_another_world_is_refused(
    settings: Settings, bank: Running, elsewhere: dict[str, str]
) -> None:
    """The service does not start over Items of another world, and the message names both."""
    with serving(settings) as (api, _):
        linked(api, bank)
    plaid = settings.plaid.model_copy(update=elsewhere)
    with pytest.raises(WorldMismatchError) as refusal:
        open_runtime(settings.model_copy(update={"plaid": plaid}))
    (named,) = elsewhere.values()
    for world in (settings.plaid, plaid):
        assert f"{world.env} at {world.host} (client {world.client_id})" in str(refusal.value)
    assert named in str(refusal.value)


def test_an_item_of_another_world_is_not_synced(settings: Settings, bank: Running) -> None:
    """Where one comes in under a running service, its token never leaves for this world's Plaid."""
    with serving(settings) as (api, runtime):
        item_id = linked(api, bank)
        query(runtime, "UPDATE items SET client_id = 'another-client'")
        bank.control.forget_calls()
        answer = api.post("/plaid/sync", item_id=item_id)
        assert (answer.status_code, answer.json()["status"]) == (502, "failed")
        error = answer.json()["error"]
        assert error["code"] == "world_mismatch"
        assert "another-client" in error["message"]
        assert "test-client" in error["message"]
        assert bank.control.calls() == []


def test_a_trailing_slash_is_no_other_world(settings: Settings, bank: Running) -> None:
    """The same host written in another way is the same world."""
    with serving(settings) as (api, _):
        linked(api, bank)
    plaid = settings.plaid.model_copy(update={"base_url": bank.url + "/"})
    open_runtime(settings.model_copy(update={"plaid": plaid})).close()

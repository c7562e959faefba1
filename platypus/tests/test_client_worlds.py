"""Each client_id is a world of its own: tokens, clock, settings, faults, calls, ledger."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from platypus_bank.testing import Control, ControlError, running
from raw_plaid import KEYS, Plaid


def client(bank: Any, name: str) -> tuple[Plaid, Control]:
    """Somebody's raw Plaid client, and the control of their world."""
    control = Control(bank.url, name)
    control.settings(initial_update_seconds=0, historical_update_seconds=0)
    return Plaid(bank, {**KEYS, "PLAID-CLIENT-ID": name}), control


def test_nothing_of_one_is_the_others(bank: Any) -> None:
    (ada, adas), (bob, bobs) = client(bank, "ada"), client(bank, "bob")
    (access, item_id), (other_access, other_item_id) = ada.item(), bob.item()
    assert {access, item_id}.isdisjoint({other_access, other_item_id})
    refused = bob.post("/item/get", access_token=access)
    assert refused.error == (400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN")
    before = bobs.clock()["offset_seconds"]
    adas.advance(86_400)
    adas.fault("/item/get", times=0, error={"error_type": "API_ERROR", "error_code": "X"})
    adas.changes(item_id, added=[{"amount": 1, "name": "Ada's"}])
    assert bobs.clock()["offset_seconds"] == before
    assert bobs.faults() == []
    assert [each["item_id"] for each in bobs.items()] == [other_item_id]
    assert bob.post("/item/get", access_token=other_access).status == 200
    assert ada.post("/item/get", access_token=access)["error_code"] == "X"
    assert {each["path"] for each in bobs.calls(item_id=item_id)} == set()
    assert len(adas.ledger(item_id)["transactions"]) == 389
    with pytest.raises(ControlError, match="no Item"):
        bobs.ledger(item_id)


def test_a_limit_is_a_clients_own(bank: Any) -> None:
    (ada, adas), (bob, bobs) = client(bank, "limited"), client(bank, "unlimited")
    (access, _), (other_access, _) = ada.item(), bob.item()
    for control in (adas, bobs):
        control.settings(rate_limits={"/item/get": {"client": 1}})
    assert ada.post("/item/get", access_token=access).status == 200
    assert ada.post("/item/get", access_token=access).status == 429
    assert bob.post("/item/get", access_token=other_access).status == 200


def test_a_reset_is_of_one_world_and_makes_the_same_ids_again(bank: Any) -> None:
    (ada, adas), (bob, _) = client(bank, "again"), client(bank, "bystander")
    other_access, _ = bob.item()
    adas.reset(7)
    first = ada.item()
    adas.reset(7)
    assert ada.item() == first
    assert bob.post("/item/get", access_token=other_access).status == 200


def test_the_only_world_need_not_be_named(tmp_path: Path) -> None:
    with running(tmp_path) as bank:
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        ada = Plaid(bank)
        access, _ = ada.item()  # the world whose settings came first is hers
        assert len(ada.pull(access)[1]) == 388
        Control(bank.url, "somebody else").settings()
        with pytest.raises(ControlError, match="PLAID-CLIENT-ID") as refused:
            bank.control.clock()
        assert refused.value.status == 400
        assert Control(bank.url, KEYS["PLAID-CLIENT-ID"]).clock()


def test_worlds_are_kept_and_ended(tmp_path: Path, receiver: Any) -> None:
    with running(tmp_path) as bank:
        (ada, adas), (bob, _) = client(bank, "ada"), client(bank, "b/../ob ö")
        access, item_id = ada.item(webhook=receiver.url)
        bob.item()
        adas.hold_webhooks()
        bank.restart()
        shown = bank.control.worlds()
        assert [(each["client_id"], each["items"]) for each in shown] == [
            ("ada", 1), ("b/../ob ö", 1),
        ]  # fmt: skip
        Control(bank.url, "ada").release_webhooks()
        assert receiver.wait(1)[0].json["item_id"] == item_id
        bank.control.end_world("ada")
        assert [each["client_id"] for each in bank.control.worlds()] == ["b/../ob ö"]
        assert ada.post("/item/get", access_token=access)["error_code"] == "INVALID_ACCESS_TOKEN"
        with pytest.raises(ControlError, match="no world"):
            bank.control.end_world("nobody")
        bank.restart()
        assert len(bank.control.worlds()) == 2  # she called again


def test_a_hosted_link_is_found_whoever_made_it(bank: Any) -> None:
    ada, _ = client(bank, "host")
    made = ada.new_link(hosted_link={})
    path = made["hosted_link_url"].removeprefix(bank.url)
    assert "wants to connect your bank" in _page(bank, path)


def _page(bank: Any, path: str) -> str:
    with urllib.request.urlopen(bank.url + path, timeout=10) as answer:  # noqa: S310 - our own server
        return str(answer.read().decode())

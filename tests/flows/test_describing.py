"""What a run asks of the Item itself and of its bank: whatever the answer, the money comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import serving, settings_for
from scenes import (
    assert_equals_ledger,
    bank_account,
    exchange,
    linked,
    newcomer,
    person,
    purchases,
    query,
    states,
    stored,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

INSTITUTION_PATH = "/institutions/get_by_id"
WEBHOOK_PATH = "/item/webhook/update"
NAMELESS = json.dumps({"institution": {"institution_id": "ins_109508"}, "request_id": "r"})
NO_ANSWERS: list[dict[str, Any]] = [
    {"body": "<html>Bad gateway</html>"},
    {"drop": True},
    {"error": {"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR", "status": 500}},
]


def link_while(api: Api, bank: Running, path: str, fault: dict[str, Any]) -> str:
    """Link an Item with three transactions while a path is spoilt; return it."""
    new = newcomer(api, bank, **person(bank_account(transactions=purchases(3))))
    bank.control.fault(path, times=0, **fault)
    assert exchange(api, new.public_token).is_success
    api.sync_until_complete(new.item_id)
    return new.item_id


@pytest.mark.parametrize("fault", [*NO_ANSWERS, {"body": NAMELESS}])
@pytest.mark.parametrize("path", [INSTITUTION_PATH, "/item/get"])
def test_a_bank_that_is_not_described_keeps_nobody_from_their_money(
    api: Api, runtime: Runtime, bank: Running, path: str, fault: dict[str, Any]
) -> None:
    """Garbage, silence or a bank without a name cost the description, and only until it answers."""
    item_id = link_while(api, bank, path, fault)
    assert states(api)[item_id] == {"transactions": "ready"}
    assert_equals_ledger(api, bank, item_id)
    assert {row["institution"] for row in api.accounts()} == {"First Platypus Bank"}
    assert query(runtime, "SELECT described_at FROM items") == [(None,)]
    bank.control.clear_faults()
    api.sync(item_id)
    described = (
        "SELECT i.described_at, n.payload FROM items i JOIN institutions n USING (institution_id)"
    )
    (now,) = query(runtime, described)
    assert None not in (now.described_at, now.payload)
    bank.control.forget_calls()
    api.sync(item_id)
    assert bank.control.calls(path) == []


def test_a_bank_that_plaid_refuses_to_describe_is_asked_for_once(api: Api, bank: Running) -> None:
    """A refusal that no waiting mends is not repeated at each run."""
    refusal = {"error_type": "INVALID_INPUT", "error_code": "INVALID_INSTITUTION"}
    item_id = link_while(api, bank, INSTITUTION_PATH, {"error": refusal})
    assert len(stored(api)) == 3
    bank.control.forget_calls()
    api.sync(item_id)
    assert bank.control.calls(INSTITUTION_PATH) == []


@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_a_webhook_url_that_does_not_arrive_is_offered_again(
    settings: Any, bank: Running, database_url: str, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """The money comes meanwhile, and the URL counts as registered only when Plaid took it."""
    with serving(settings) as (api, _):
        item_id = linked(api, bank, **person(bank_account(transactions=purchases(3))))
    moved = settings_for(
        bank.url, database_url, tmp_path / "data", public_url="https://bankloom.example"
    )
    bank.control.fault(WEBHOOK_PATH, times=0, **fault)
    with serving(moved) as (api, _):
        bank.control.changes(item_id, added=[{"amount": 1}])
        assert api.sync(item_id)["status"] == "synced"
        bank.control.clear_faults()
        bank.control.forget_calls()
        for _ in range(2):
            assert api.sync(item_id)["status"] == "up_to_date"
        assert len(bank.control.calls(WEBHOOK_PATH)) == 1


def test_another_public_url_is_registered_with_every_item(
    bank: Running, database_url: str, tmp_path: Path
) -> None:
    """At the next run after the service has moved, Plaid is told where webhooks go from now on."""
    for url in ("https://one.example", "https://two.example"):
        settings = settings_for(bank.url, database_url, tmp_path / "data", public_url=url)
        with serving(settings) as (api, _):
            item_id = next(iter(states(api)), None) or linked(api, bank)
            assert api.sync(item_id)["status"] == "up_to_date"
            (item,) = bank.control.items()
            assert item["webhook"] == f"{url}/plaid/webhook"
            shown = api.get(f"/plaid/items/{item_id}").json()
            assert shown["webhook_url"] == item["webhook"]

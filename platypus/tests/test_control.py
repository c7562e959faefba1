"""The control API: what it does, and how it refuses."""

from typing import Any

import pytest

from platypus_bank.testing import ControlError


def test_health(api: Any) -> None:
    assert api.send("/platypus/health", b"", "GET").status == 200


def test_calls_remember_cursor_and_count(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    bank.control.forget_calls()
    page = api.sync(access, cursor, count=7)
    api.post("/no/such/path")
    [call] = bank.control.calls(item_id=item_id)
    assert call["path"] == "/transactions/sync"
    assert (call["cursor"], call["count"], call["status"]) == (cursor, 7, 200)
    assert call["request_id"] == page["request_id"]
    assert bank.control.calls()[-1]["status"] == 404
    assert bank.control.calls("/item/get") == []


def test_accounts_change_verbatim(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    before = api.post("/accounts/get", access_token=access)["accounts"]
    bank.control.accounts(
        item_id,
        upsert=[
            {"account_id": before[0]["account_id"], "balances": {"available": -20.125}},
            {"name": before[0]["name"], "mask": before[0]["mask"], "mood": "new"},
        ],
        close=[before[1]["account_id"]],
    )
    after = api.post("/accounts/get", access_token=access)["accounts"]
    assert len(after) == 14
    assert str(after[0]["balances"]["available"]) == "-20.125"
    assert after[0]["balances"]["current"] == before[0]["balances"]["current"]
    assert (after[-1]["name"], after[-1]["mood"]) == (before[0]["name"], "new")
    assert before[1]["account_id"] not in {each["account_id"] for each in after}


def test_bulk_is_real_rows(api: Any, bank: Any, ledger: Any) -> None:
    access, item_id = api.item("transactions", transactions={"days_requested": 1})
    bank.control.bulk(item_id, 1000, start_date="2026-01-01")
    _, rows = api.pull(access)
    assert rows == ledger(item_id)
    assert len(rows) == 1000
    assert min(row["date"] for row in rows.values()) == "2026-01-01"
    one = next(iter(rows))
    bank.control.changes(item_id, modified=[{"transaction_id": one, "name": "Renamed"}])
    assert ledger(item_id)[one] == rows[one] | {"name": "Renamed"}


def test_what_plaid_does_by_access_token_is_there_by_item_id(
    api: Any, bank: Any, receiver: Any
) -> None:
    access, item_id = api.item(webhook=receiver.url, override_username="user_transactions_dynamic")
    receiver.wait(2)
    bank.control.fire_webhook(
        item_id, "DEFAULT_UPDATE", webhook_type="TRANSACTIONS", new_transactions=3
    )
    assert receiver.wait(3)[-1].json["new_transactions"] == 3
    before = api.pull(access)[1]
    assert bank.control.refresh(item_id)["item_id"] == item_id
    assert len(api.pull(access)[1]) == len(before) + 4
    api.post("/item/remove", access_token=access)
    for call in ("refresh", "fire_webhook"):
        with pytest.raises(ControlError, match="ITEM_NOT_FOUND"):
            bank.control.call("POST", f"/items/{item_id}/{call}")


def test_items_show_no_tokens(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    [shown] = bank.control.items()
    assert shown["item_id"] == item_id
    assert access not in str(shown)


def test_the_clock_only_runs_forward(bank: Any) -> None:
    before = bank.control.clock()
    after = bank.control.advance(86_400 * 3)
    assert after["offset_seconds"] == 86_400 * 3
    assert after["today"] > before["today"]
    with pytest.raises(ControlError):
        bank.control.advance(-1)


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("POST /settings", {"exchange_mode": "odd"}, 400),
        ("POST /settings", {"unknown": 1}, 400),
        ("POST /items/nobody/changes", {}, 404),
        ("POST /items/{item}/changes", {"removed": ["nobody"]}, 400),
        ("POST /items/{item}/changes", {"modified": [{"transaction_id": "nobody"}]}, 400),
        ("POST /items/{item}/changes", {"extra": []}, 400),
        ("POST /items/{item}/changes", {"added": [{"date": None}]}, 400),
        ("POST /items/{item}/changes", {"added": [{"transaction_id": 5}]}, 400),
        ("POST /items/{item}/script", {"pages": []}, 400),
        ("POST /items/{item}/script", {"pages": [{"added": [{"date": None}]}]}, 400),
        ("POST /items/{item}/script", {"pages": [{"removed": [{}]}]}, 400),
        ("POST /items/{item}/accounts", {"close": ["nobody"]}, 400),
        ("POST /items/{item}/accounts", {"upsert": [{"account_id": 5}]}, 400),
        ("POST /items/{item}/accounts", {"upsert": [{"balances": 5}]}, 400),
        ("POST /items/{item}/bulk", {"count": 0}, 400),
        ("POST /clock/advance", {"seconds": 1e12}, 400),
        ("POST /reset", {"stands_at": "9999-12-31T23:59:59Z"}, 400),
        ("POST /reset", {"stands_at": "0001-01-01T00:00:00Z"}, 400),
        ("POST /items/{item}/readiness", {"status": "SOON"}, 400),
        ("POST /items/{item}/fire_webhook", {"webhook_code": "ODD"}, 400),
        ("POST /faults", {}, 400),
        ("POST /faults", {"path": "item/get", "drop": True}, 400),
        ("POST /faults", {"path": "*/get", "drop": True}, 400),
        ("POST /faults", {"name": "slow", "path": ""}, 400),
        ("POST /faults/fault-99/release", {}, 404),
        ("GET /ledger/nobody", {}, 404),
        ("GET /no/such", {}, 404),
    ],
)
def test_refusals(api: Any, bank: Any, call: str, body: dict[str, Any], status: int) -> None:
    _, item_id = api.item()
    method, path = call.split(" ")
    with pytest.raises(ControlError) as refused:
        bank.control.call(method, path.replace("{item}", item_id), body)
    assert refused.value.status == status
    assert refused.value.body["error"]


def test_json_nested_too_deeply_is_refused(api: Any) -> None:
    deep = b"[" * 100_000
    assert api.send("/platypus/settings", deep).status == 400
    assert api.send("/item/get", deep).status == 400
    custom = {"override_username": "user_custom", "override_password": deep.decode()}
    refused = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options=custom,
    )
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_a_refused_change_changes_nothing(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, rows = api.pull(access)
    some = list(rows)[:2]
    with pytest.raises(ControlError):
        bank.control.changes(item_id, added=[{}], removed=[*some, "nobody"])
    assert api.pull(access, cursor)[1] == {}


def test_a_big_bulk_leaves_every_index_behind(api: Any, bank: Any) -> None:
    """From 100,000 rows on the indexes are dropped and built anew."""
    access, item_id = api.item()
    bank.control.bulk(item_id, 100_000)
    cursor = api.sync(access, "now")["next_cursor"]
    window = {"start_date": "2000-01-01", "end_date": "2100-01-01", "options": {"count": 1}}
    newest = api.post("/transactions/get", access_token=access, **window)
    assert newest["total_transactions"] == 100_388
    one = newest["transactions"][0]["transaction_id"]
    bank.control.changes(item_id, modified=[{"transaction_id": one, "name": "Renamed"}])
    assert [row["name"] for row in api.sync(access, cursor)["modified"]] == ["Renamed"]

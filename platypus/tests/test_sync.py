"""/transactions/sync: https://plaid.com/docs/api/products/transactions/#transactionssync."""

import time
from typing import Any

import pytest

MUTATION = (400, "TRANSACTIONS_ERROR", "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")
FOREIGN = (400, "INVALID_REQUEST", "INVALID_FIELD")


def held(rows: dict[str, Any]) -> dict[str, Any]:
    return {key: row for key, row in rows.items() if row is not None}


def test_pages_follow_count_and_never_overlap(api: Any, ledger: Any) -> None:
    access, item_id = api.item()
    first = api.sync(access, count=150)
    assert (len(first["added"]), first["has_more"]) == (150, True)
    _, rows = api.pull(access, count=150)
    assert len(rows) == 388
    assert held(rows) == ledger(item_id)


def test_default_count_is_100(api: Any) -> None:
    access, _ = api.item()
    assert len(api.sync(access)["added"]) == 100


def test_accounts_are_only_those_of_the_page(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, rows = api.pull(access)
    some = next(iter(rows.values()))
    bank.control.changes(item_id, added=[{"account_id": some["account_id"], "amount": 1}])
    page = api.sync(access, cursor)
    assert [each["account_id"] for each in page["accounts"]] == [some["account_id"]]


def test_nothing_new_is_an_empty_final_page(api: Any) -> None:
    access, _ = api.item()
    cursor, _ = api.pull(access)
    page = api.sync(access, cursor)
    assert (page["added"], page["modified"], page["removed"]) == ([], [], [])
    assert page["has_more"] is False
    assert page["accounts"] == []


def test_readiness_comes_in_two_steps(api: Any, bank: Any) -> None:
    bank.control.settings(initial_update_seconds=100, historical_update_seconds=200)
    access, _ = api.item()
    page = api.sync(access)
    assert page["transactions_update_status"] == "NOT_READY"
    assert (page["added"], page["next_cursor"], page["has_more"]) == ([], "", False)
    bank.control.advance(100)
    page = api.sync(access)
    assert page["transactions_update_status"] == "INITIAL_UPDATE_COMPLETE"
    assert len(page["added"]) == 16
    bank.control.advance(100)
    rest = api.sync(access, page["next_cursor"], count=500)
    assert rest["transactions_update_status"] == "HISTORICAL_UPDATE_COMPLETE"
    assert len(rest["added"]) == 388 - 16


def test_readiness_can_be_held_and_let_go(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    bank.control.readiness(item_id, "NOT_READY")
    assert api.sync(access)["transactions_update_status"] == "NOT_READY"
    answer = api.post(
        "/transactions/get", access_token=access, start_date="2020-01-01", end_date="2030-01-01"
    )
    assert answer.error == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")
    bank.control.readiness(item_id, "INITIAL_UPDATE_COMPLETE")
    assert len(api.sync(access)["added"]) == 16
    bank.control.readiness(item_id, None)
    assert api.sync(access)["transactions_update_status"] == "HISTORICAL_UPDATE_COMPLETE"


def test_a_held_world_never_gets_ready(api: Any, bank: Any) -> None:
    bank.control.settings(initial_update_seconds="held")
    access, _ = api.item()
    bank.control.advance(86_400)
    assert api.sync(access)["transactions_update_status"] == "NOT_READY"


def test_days_requested_bounds_history(api: Any) -> None:
    access, _ = api.item(transactions={"days_requested": 30})
    assert len(api.pull(access)[1]) == 16


def test_a_change_during_a_loop_is_a_mutation_until_the_loop_restarts(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    page = api.sync(access)
    bank.control.changes(item_id, added=[{"amount": 1}])
    for _ in range(2):
        refused = api.sync(access, page["next_cursor"])
        assert refused.error == MUTATION
        assert refused["error_message"] == (
            "Underlying transaction data changed since last page was fetched. "
            "Please restart pagination from last update."
        )
    assert len(api.pull(access)[1]) == 389


def test_the_final_cursor_gives_the_same_delta_again(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, rows = api.pull(access)
    gone, kept = list(rows)[:2]
    bank.control.changes(
        item_id,
        added=[{"amount": 3}],
        modified=[{"transaction_id": kept, "amount": 9}],
        removed=[gone],
    )
    first, again = api.sync(access, cursor), api.sync(access, cursor)
    assert {**first.body, "request_id": ""} == {**again.body, "request_id": ""}
    assert [len(first[name]) for name in ("added", "modified", "removed")] == [1, 1, 1]
    assert first["removed"][0] == {
        "transaction_id": gone,
        "account_id": rows[gone]["account_id"],
    }
    assert first["modified"][0] == rows[kept] | {"amount": 9}


def test_what_came_and_went_since_the_cursor_is_not_told(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    [made] = bank.control.changes(item_id, added=[{"amount": 3}])["added"]
    later, seen = api.pull(access, cursor)
    bank.control.changes(item_id, removed=[made])
    assert list(seen) == [made]
    assert api.pull(access, cursor)[1] == {}
    assert api.pull(access, later)[1] == {made: None}


def test_a_removed_row_that_comes_back_is_added_for_all(api: Any, bank: Any, ledger: Any) -> None:
    access, item_id = api.item()
    held_it, rows = api.pull(access)
    one = next(iter(rows))
    bank.control.changes(item_id, removed=[one])
    lost_it, _ = api.pull(access, held_it)
    bank.control.changes(item_id, added=[rows[one] | {"amount": 7.5}])
    for cursor in (held_it, lost_it):
        assert [row["transaction_id"] for row in api.sync(access, cursor)["added"]] == [one]
    bank.control.changes(item_id, removed=[one])
    assert api.pull(access, held_it)[1] == {one: None}
    assert one not in ledger(item_id)


@pytest.mark.parametrize("cursor", ["garbage", "AAAA", "aGVsbG8gd29ybGQ="])
def test_a_garbled_cursor_is_refused(api: Any, cursor: str) -> None:
    access, _ = api.item()
    assert api.sync(access, cursor).error == FOREIGN


def test_cursors_belong_to_one_item(api: Any) -> None:
    (mine, _), (other, _) = api.item(), api.item()
    cursor, _ = api.pull(mine)
    refused = api.sync(other, cursor)
    assert refused.error == FOREIGN
    assert refused["error_message"] == "cursor not associated with access_token"


def test_forgotten_cursors_are_foreign(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    bank.control.forget_cursors(item_id)
    assert api.sync(access, cursor).error == FOREIGN
    assert len(api.pull(access)[1]) == 388


def test_an_account_has_a_stream_of_its_own(api: Any) -> None:
    access, _ = api.item()
    account = api.post("/accounts/get", access_token=access)["accounts"][0]["account_id"]
    page = api.sync(access, count=500, options={"account_id": account})
    assert {row["account_id"] for row in page["added"]} == {account}
    assert api.sync(access, page["next_cursor"]).error == FOREIGN


def test_now_skips_history(api: Any) -> None:
    access, _ = api.item()
    page = api.sync(access, "now")
    assert page["added"] == []
    assert api.sync(access, page["next_cursor"])["added"] == []


def test_original_description_only_when_asked_for(api: Any) -> None:
    access, _ = api.item()
    assert "original_description" not in api.sync(access)["added"][0]
    asked = api.sync(access, options={"include_original_description": True})["added"][0]
    assert asked["original_description"] == asked["name"]


def test_tomorrows_plaid_passes_through_verbatim(api: Any) -> None:
    api.dictates = True
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    text = (
        b'{"added": [{"amount": 342.0992850, "payment_channel": "telepathy",'
        b' "vibe": {"score": 0.10}, "iso_currency_code": "USD"}]}'
    )
    assert api.send(f"/platypus/items/{item_id}/changes", text).status == 200
    [row] = api.sync(access, cursor)["added"]
    assert row["payment_channel"] == "telepathy"
    assert str(row["amount"]) == "342.0992850"
    assert str(row["vibe"]["score"]) == "0.10"


def test_a_page_costs_the_same_at_any_depth(api: Any, bank: Any) -> None:
    """50,000 rows, so that the suite stays quick; a scan would show at a tenth of that."""
    access, item_id = api.item()
    bank.control.bulk(item_id, 50_000)
    cursor, times, more = "", [], True
    while more:
        started = time.perf_counter()
        page = api.sync(access, cursor, count=500)
        times.append(time.perf_counter() - started)
        cursor, more = page["next_cursor"], page["has_more"]
    assert len(times) == 101
    early, late = sorted(times[:50]), sorted(times[50:])
    assert late[25] < 3 * early[25]


def test_transactions_get_pages_newest_first(api: Any) -> None:
    access, _ = api.item()
    window = {"access_token": access, "start_date": "2000-01-01", "end_date": "2100-01-01"}
    dates = []
    for offset in (0, 200):
        answer = api.post("/transactions/get", **window, options={"count": 200, "offset": offset})
        dates += [row["date"] for row in answer["transactions"]]
        assert answer["total_transactions"] == 388
    assert len(dates) == 388
    assert dates == sorted(dates, reverse=True)
    account = api.post("/accounts/get", access_token=access)["accounts"][1]["account_id"]
    mine = api.post("/transactions/get", **window, options={"account_ids": [account]})
    assert {row["account_id"] for row in mine["transactions"]} == {account}
    unknown = api.post("/transactions/get", **window, options={"account_ids": ["nobody"]})
    assert unknown.error == (400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")

"""Scripts: sync pages that a test dictates."""

from typing import Any

import pytest


@pytest.fixture
def synced(api: Any) -> tuple[str, str, str, dict[str, Any]]:
    """Link an Item and take everything it has: access token, item_id, cursor, rows."""
    access, item_id = api.item()
    cursor, rows = api.pull(access)
    return access, item_id, cursor, rows


def test_pages_come_as_written_whatever_count_says(api: Any, bank: Any, synced: Any) -> None:
    access, item_id, cursor, rows = synced
    one = next(iter(rows))
    written = bank.control.script(
        item_id,
        [
            {"added": [{"transaction_id": "x", "amount": 1}, {"transaction_id": "y"}]},
            {"modified": [{"transaction_id": "x", "amount": 2}], "removed": [one, "nobody-knows"]},
            {},
        ],
        status="INITIAL_UPDATE_COMPLETE",
    )["pages"]
    pages = []
    for _ in range(3):
        page = api.sync(access, cursor, count=1)
        pages.append(page)
        cursor = page["next_cursor"]
    assert [page["has_more"] for page in pages] == [True, True, False]
    assert [row["transaction_id"] for row in pages[0]["added"]] == ["x", "y"]
    assert pages[1]["modified"][0]["amount"] == 2
    assert [row["transaction_id"] for row in pages[1]["removed"]] == [one, "nobody-knows"]
    assert len(written) == 3
    assert {page["transactions_update_status"] for page in pages} == {"INITIAL_UPDATE_COMPLETE"}


def test_the_ledger_is_what_a_correct_client_holds(
    api: Any, bank: Any, synced: Any, ledger: Any
) -> None:
    access, item_id, cursor, rows = synced
    bank.control.script(
        item_id,
        [
            {"added": [{"transaction_id": "late", "amount": 1}], "removed": ["back"]},
            {"modified": [{"transaction_id": "late", "amount": 2}], "removed": ["late"]},
            {"added": [{"transaction_id": "back", "amount": 5}]},
            {
                "added": [{"transaction_id": "both", "amount": 1}],
                "modified": [{"transaction_id": "both", "amount": 8}],
            },
        ],
    )
    final, seen = api.pull(access, cursor)
    mine = {key: row for key, row in {**rows, **seen}.items() if row is not None}
    assert mine == ledger(item_id)
    assert mine["both"]["amount"] == 8
    assert "back" in mine
    assert "late" not in mine
    assert api.pull(access, final)[1] == {}


def test_a_script_replays_until_its_end_has_been_used(api: Any, bank: Any, synced: Any) -> None:
    access, item_id, cursor, _ = synced
    bank.control.script(item_id, [{"added": [{"transaction_id": "x"}]}, {"removed": ["x"]}])
    first = [api.sync(access, cursor).body["added"] for _ in range(2)]
    assert first[0] == first[1] != []
    final, _ = api.pull(access, cursor)
    assert len(api.sync(access, cursor)["added"]) == 1
    api.sync(access, final)
    assert api.pull(access, cursor)[1] == {}


def test_a_client_that_is_behind_gets_history_first(
    api: Any, bank: Any, synced: Any, ledger: Any
) -> None:
    access, item_id, _, rows = synced
    one = next(iter(rows))
    bank.control.script(item_id, [{"modified": [{"transaction_id": one, "amount": 4}]}])
    bank.control.changes(item_id, added=[{"transaction_id": "after"}])
    _, seen = api.pull(access)
    assert seen == ledger(item_id)
    assert seen[one]["amount"] == 4


def test_a_change_during_a_script_is_a_mutation(api: Any, bank: Any, synced: Any) -> None:
    access, item_id, cursor, _ = synced
    bank.control.script(item_id, [{"added": [{}]}, {"added": [{}]}])
    page = api.sync(access, cursor)
    bank.control.changes(item_id, added=[{}])
    assert api.sync(access, page["next_cursor"]).status == 400
    assert len(api.pull(access, cursor)[1]) == 3


def test_accounts_of_a_page_can_be_dictated(api: Any, bank: Any, synced: Any) -> None:
    api.dictates = True
    access, item_id, cursor, _ = synced
    bank.control.script(item_id, [{"accounts": [{"account_id": "a", "name": "A"}]}])
    assert api.sync(access, cursor)["accounts"] == [{"account_id": "a", "name": "A"}]

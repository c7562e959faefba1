"""Rebuilds: when Plaid no longer knows the cursor, everything is pulled again, and little is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    bank_account,
    days_ago,
    linked,
    person,
    purchases,
    query,
    stored,
)

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

OWNED = 10


@pytest.fixture
def item_id(api: Api, bank: Running) -> str:
    """An Item with ten transactions, the newest of yesterday."""
    item_id = linked(api, bank, **person(bank_account(transactions=purchases(OWNED))))
    assert len(stored(api)) == OWNED
    bank.control.forget_cursors(item_id)
    bank.control.forget_calls()
    return item_id


def vanish(bank: Running, item_id: str, *days: int) -> set[str]:
    """Take the purchases of so many days ago away at the bank; return their ids."""
    dates = {days_ago(day) for day in days}
    rows = bank.control.ledger(item_id)["transactions"]
    gone = [row["transaction_id"] for row in rows if row["date"] in dates]
    assert len(gone) == len(days)
    bank.control.changes(item_id, removed=gone)
    return set(gone)


def test_nothing_is_lost_or_doubled(api: Api, bank: Running, item_id: str) -> None:
    """A foreign cursor is answered by one pull from the empty cursor, and nothing changes by it."""
    before = stored(api)
    assert api.sync(item_id)["status"] == "up_to_date"
    assert stored(api) == before
    calls = bank.control.calls(SYNC_PATH)
    assert [(call["error_code"], call["cursor"] == "") for call in calls] == [
        ("INVALID_FIELD", False),
        (None, True),
    ]
    assert api.sync(item_id)["status"] == "up_to_date"
    assert len(bank.control.calls(SYNC_PATH)) == 3


@pytest.mark.parametrize(
    "message", ["Cursor not associated with access_token", "cursor is invalid", "no such page"]
)
def test_whatever_words_refuse_the_cursor(
    api: Api, bank: Running, item_id: str, message: str
) -> None:
    """No words of Plaid's for a cursor that it does not take are a dead end."""
    gone = vanish(bank, item_id, 3)
    refusal = {"error_type": "INVALID_INPUT", "error_code": "INVALID_FIELD"}
    bank.control.fault(SYNC_PATH, error={**refusal, "error_message": message})
    assert api.sync(item_id)["transactions_synced"] == 1
    assert not gone & stored(api).keys()
    assert_equals_ledger(api, bank, item_id)


def test_a_rebuild_that_is_refused_is_not_repeated_at_once(
    api: Api, runtime: Runtime, bank: Running, item_id: str
) -> None:
    """One run rebuilds once; what refuses the empty cursor as well is not the cursor's fault."""
    refusal = {"error_type": "INVALID_REQUEST", "error_code": "INVALID_FIELD"}
    bank.control.fault(SYNC_PATH, error=refusal, times=0)
    assert api.sync(item_id)["error"]["code"] == "INVALID_FIELD"
    assert [call["cursor"] == "" for call in bank.control.calls(SYNC_PATH)] == [False, True]
    assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]
    bank.control.clear_faults()
    assert api.sync(item_id)["status"] == "up_to_date"


def test_what_plaid_no_longer_has_is_tombstoned(api: Api, bank: Running, item_id: str) -> None:
    """After a complete rebuild what Plaid did not return is listed no more, and counted."""
    gone = vanish(bank, item_id, 3)
    answer = api.sync(item_id)
    assert (answer["status"], answer["transactions_synced"]) == ("synced", 1)
    assert not gone & stored(api).keys()
    assert_equals_ledger(api, bank, item_id)


def test_an_unfinished_rebuild_tombstones_nothing(api: Api, bank: Running, item_id: str) -> None:
    """While Plaid's history is not complete, what it lacks may only not have come yet."""
    gone = vanish(bank, item_id, 3)
    bank.control.readiness(item_id, "INITIAL_UPDATE_COMPLETE")
    assert api.sync(item_id)["status"] == "up_to_date"
    assert gone <= stored(api).keys()


def test_what_is_older_than_plaids_history_stays(api: Api, bank: Running, item_id: str) -> None:
    """Rows dated before the oldest one returned are out of Plaid's reach, not gone."""
    gone = vanish(bank, item_id, OWNED)
    assert api.sync(item_id)["status"] == "up_to_date"
    assert gone <= stored(api).keys()


def test_a_closed_accounts_rows_stay(api: Api, bank: Running, item_id: str) -> None:
    """Rows of an account that Plaid lists no more are not tombstoned by a rebuild."""
    (account,) = api.accounts()
    bank.control.accounts(item_id, upsert=[{"account_id": "open", "name": "Open"}])
    bank.control.accounts(item_id, close=[account["account_id"]])
    vanish(bank, item_id, 3)
    api.sync(item_id)
    assert len(stored(api)) == OWNED


def test_many_removals_need_a_person(
    api: Api, runtime: Runtime, bank: Running, item_id: str
) -> None:
    """Beyond a share of the rows a rebuild stops, changes nothing, and says how to agree."""
    gone = vanish(bank, item_id, 2, 3, 4)
    for _ in range(2):
        answer = api.post("/plaid/sync", item_id=item_id)
        assert (answer.status_code, answer.json()["status"]) == (502, "failed")
        error = answer.json()["error"]
        assert error["code"] == "rebuild_needs_consent"
        assert "allow_removals" in error["message"]
        assert "3 of the 10" in error["message"]
        assert gone <= stored(api).keys()
    (tag,) = query(runtime, "SELECT state, next_try_at FROM item_products")
    assert tag == ("needs you", None)
    agreed = api.sync(item_id, allow_removals=True)
    assert (agreed["status"], agreed["transactions_synced"]) == ("synced", 3)
    assert_equals_ledger(api, bank, item_id)


def test_a_rebuild_brings_removed_rows_back(api: Api, bank: Running, item_id: str) -> None:
    """A row that was tombstoned and that Plaid has again is listed again."""
    (gone,) = vanish(bank, item_id, 3)
    api.sync(item_id)
    assert gone not in stored(api)
    bank.control.changes(item_id, added=[{"transaction_id": gone, "date": days_ago(3)}])
    bank.control.forget_cursors(item_id)
    assert api.sync(item_id)["transactions_synced"] == 1
    assert gone in stored(api)


def test_a_rebuild_of_several_pages(api: Api, bank: Running, item_id: str) -> None:
    """A mutation in the middle of a rebuild starts the rebuild again, and it still tombstones."""
    vanish(bank, item_id, 3)
    bank.control.bulk(item_id, 1000)
    mutation = {
        "error_type": "TRANSACTIONS_ERROR",
        "error_code": "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
    }
    bank.control.fault(SYNC_PATH, after=2, error=mutation)
    assert api.sync(item_id)["transactions_synced"] == 1001
    assert [call["cursor"] == "" for call in bank.control.calls(SYNC_PATH)].count(True) == 2
    assert_equals_ledger(api, bank, item_id)

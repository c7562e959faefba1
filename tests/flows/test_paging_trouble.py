"""Trouble between the pages of one update: whatever happens, the end equals the bank's ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.services import request_run, sync_item, tick
from harness import wait_until
from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    background,
    holding,
    linked,
    never,
    query,
    stored,
)

if TYPE_CHECKING:
    from typing import Any

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

MUTATION = {
    "error_type": "TRANSACTIONS_ERROR",
    "error_code": "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
}


def pages(*amounts: list[int]) -> list[dict[str, Any]]:
    """Return pages of a script, each adding transactions named after their amounts."""
    return [
        {"added": [{"transaction_id": f"t{each}", "amount": each} for each in page]}
        for page in amounts
    ]


def test_a_change_between_pages_restarts_the_loop(api: Api, bank: Running) -> None:
    """After a mutation the loop starts again at its own first cursor, and ends at the ledger."""
    item_id = linked(api, bank)
    bank.control.bulk(item_id, 1200)
    bank.control.forget_calls()
    with holding(bank, SYNC_PATH, after=1) as hold, background() as start:
        running = start(api.sync, item_id)
        hold.reached()
        gone = bank.control.ledger(item_id)["transactions"][0]["transaction_id"]
        bank.control.changes(item_id, added=[{"amount": 1}], removed=[gone])
        hold.release()
        answer = running.result()
    assert (answer["status"], answer["transactions_synced"]) == ("synced", 1200)
    assert_equals_ledger(api, bank, item_id)
    calls = bank.control.calls(SYNC_PATH)
    assert [call["error_code"] for call in calls] == [
        None,
        MUTATION["error_code"],
        None,
        None,
        None,
    ]
    first = calls[0]["cursor"]
    assert [number for number, call in enumerate(calls) if call["cursor"] == first] == [0, 2]


def test_a_bank_that_never_stands_still(api: Api, runtime: Runtime, bank: Running) -> None:
    """After ten mutations in a row the run fails with Plaid's code, and its tag is due again."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 3}])
    bank.control.forget_calls()
    bank.control.fault(SYNC_PATH, error=MUTATION, times=10)
    answer = api.post("/plaid/sync", item_id=item_id)
    assert (answer.status_code, answer.json()["status"]) == (502, "failed")
    assert answer.json()["error"]["code"] == MUTATION["error_code"]
    assert len(bank.control.calls(SYNC_PATH)) == 10
    (tag,) = query(runtime, "SELECT *, next_try_at > now() AS later FROM item_products")
    assert (tag.state, tag.failures, tag.later) == ("failing", 1, True)
    assert api.sync(item_id)["status"] == "synced"
    assert_equals_ledger(api, bank, item_id)


def test_of_one_id_on_two_pages_the_later_wins(api: Api, bank: Running) -> None:
    """Whatever stands on the later page holds: changed, removed, or added again."""
    item_id = linked(api, bank)
    bank.control.script(
        item_id,
        [
            {"added": [{"transaction_id": name, "amount": 1} for name in ("a", "b", "c")]},
            {
                "modified": [{"transaction_id": "a", "amount": 2}],
                "removed": ["b", "c"],
            },
            {"added": [{"transaction_id": "c", "amount": 3}]},
        ],
    )
    assert api.sync(item_id)["transactions_synced"] == 2
    assert {name: row["amount"] for name, row in stored(api).items()} == {"a": 2, "c": 3}
    assert_equals_ledger(api, bank, item_id)


def test_within_a_page_removed_beats_modified_beats_added(api: Api, bank: Running) -> None:
    """Plaid promises no order across a page's lists: the stronger statement holds."""
    item_id = linked(api, bank)
    bank.control.script(
        item_id,
        [
            {
                "added": [{"transaction_id": name, "amount": 1} for name in ("a", "b", "c")],
                "modified": [{"transaction_id": name, "amount": 2} for name in ("b", "c")],
                "removed": ["c"],
            }
        ],
    )
    assert api.sync(item_id)["transactions_synced"] == 2
    assert {name: row["amount"] for name, row in stored(api).items()} == {"a": 1, "b": 2}


def test_an_unknown_removal_is_nothing(api: Api, bank: Running) -> None:
    """Removing what was never held changes nothing and fails nothing, even with no account named."""
    item_id = linked(api, bank)
    (account,) = api.accounts()
    known = {"transaction_id": "never seen", "account_id": account["account_id"]}
    bank.control.script(item_id, [{"removed": [known]}, {"removed": ["seen by nobody"]}])
    assert api.sync(item_id)["status"] == "up_to_date"
    assert stored(api) == {}


def test_what_was_removed_may_come_back(api: Api, bank: Running) -> None:
    """An id that was removed and is added again is listed again, under its old lineage."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1]))
    api.sync(item_id)
    lineage = stored(api)["t1"]["lineage_id"]
    bank.control.changes(item_id, removed=["t1"])
    assert api.sync(item_id)["transactions_synced"] == 1
    assert stored(api) == {}
    bank.control.changes(item_id, added=[{"transaction_id": "t1", "amount": 1}])
    assert api.sync(item_id)["transactions_synced"] == 1
    assert stored(api)["t1"]["lineage_id"] == lineage


def test_an_unchanged_modification_is_nothing(api: Api, bank: Running) -> None:
    """Plaid sends rows as modified that are as before; they are not counted."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"transaction_id": "t1", "amount": 1}])
    api.sync(item_id)
    bank.control.changes(item_id, modified=[{"transaction_id": "t1", "amount": 1}])
    assert api.sync(item_id)["status"] == "up_to_date"
    bank.control.changes(item_id, modified=[{"transaction_id": "t1", "amount": 2}])
    assert api.sync(item_id)["transactions_synced"] == 1


def test_a_transaction_of_an_unknown_account(api: Api, bank: Running) -> None:
    """It is listed when, and only when, Plaid's own list of accounts has it; its rows are at once."""
    item_id = linked(api, bank)
    known = api.accounts()[0]["account_id"]
    bank.control.script(
        item_id, [{"added": [{"transaction_id": "t1", "account_id": "elsewhere"}], "accounts": []}]
    )
    for status in ("synced", "up_to_date"):
        assert api.sync(item_id)["status"] == status
        assert stored(api, account_id="elsewhere").keys() == {"t1"}
        assert {row["account_id"] for row in api.accounts()} == {known}
    bank.control.accounts(item_id, upsert=[{"account_id": "elsewhere", "name": "Elsewhere"}])
    assert api.sync(item_id)["status"] == "up_to_date"
    assert {row["account_id"] for row in api.accounts()} == {known, "elsewhere"}
    assert "Elsewhere" in {row["name"] for row in api.accounts()}


def test_a_superseded_run_discards_its_work(api: Api, runtime: Runtime, bank: Running) -> None:
    """A run that another overtook in the middle writes nothing more; who waits gets the other's end."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1], [2], [3]))
    with holding(bank, SYNC_PATH, after=1) as hold, background() as start:
        first = start(api.sync, item_id)
        hold.reached()
        with runtime.database.session() as session:
            request_run.request(session, item_id, "person")
        sync_item.now(runtime, item_id, never)
        overtaken = stored(api)
        bank.control.changes(item_id, modified=[{"transaction_id": "t1", "amount": 9}])
        assert api.sync(item_id, wait=False)["status"] == "queued"
        hold.release()
        answer = first.result()
    assert overtaken.keys() == {"t1", "t2", "t3"}
    assert (answer["status"], answer["transactions_synced"]) == ("synced", 3)
    wait_until(lambda: stored(api)["t1"]["amount"] == 9)
    assert_equals_ledger(api, bank, item_id)
    ends = query(runtime, "SELECT status FROM sync_runs WHERE superseded_by IS NOT NULL")
    assert ends == [("superseded",)]
    tick.now(runtime, [])
    assert query(runtime, "SELECT * FROM transaction_staging") == []


def test_a_run_under_an_older_token_is_discarded(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where the access token changed in the middle, the run is done again for who waits."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1], [2]))
    with holding(bank, SYNC_PATH, after=1) as hold, background() as start:
        running = start(api.sync, item_id)
        hold.reached()
        query(runtime, "UPDATE items SET token_generation = token_generation + 1")
        hold.release()
        answer = running.result()
    assert (answer["status"], answer["transactions_synced"]) == ("synced", 2)
    assert_equals_ledger(api, bank, item_id)


def test_a_run_of_a_removed_item_is_discarded(api: Api, runtime: Runtime, bank: Running) -> None:
    """What was removed while it was being synced gets no more rows."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1], [2]))
    with holding(bank, SYNC_PATH, after=1) as hold, background() as start:
        running = start(api.sync, item_id)
        hold.reached()
        query(runtime, "UPDATE items SET removed_at = now()")
        hold.release()
        assert running.result()["status"] == "failed"
    assert query(runtime, "SELECT * FROM transactions") == []


def test_an_answer_that_is_no_json(api: Api, bank: Running) -> None:
    """Garbage in Plaid's place fails the run and changes nothing; the next one recovers."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1], [2]))
    bank.control.fault(SYNC_PATH, after=1, body="<html>Bad gateway</html>")
    answer = api.sync(item_id)
    assert (answer["status"], answer["error"]["code"]) == ("failed", "plaid_unreachable")
    assert stored(api) == {}
    assert api.sync(item_id)["transactions_synced"] == 2
    assert_equals_ledger(api, bank, item_id)


def test_a_connection_lost_between_pages(api: Api, bank: Running) -> None:
    """A page that never came leaves nothing half done."""
    item_id = linked(api, bank)
    bank.control.script(item_id, pages([1], [2]))
    bank.control.fault(SYNC_PATH, after=1, drop=True)
    assert api.sync(item_id)["error"]["code"] == "plaid_unreachable"
    assert stored(api) == {}
    assert api.sync(item_id)["transactions_synced"] == 2


def test_text_that_no_database_can_store(api: Api, bank: Running) -> None:
    """A NUL character in a bank's text costs that character, not the Item's every later sync."""
    item_id = linked(api, bank)
    (account,) = api.accounts()
    bank.control.accounts(
        item_id, upsert=[{"account_id": account["account_id"], "name": "Check\0ing"}]
    )
    named = {"transaction_id": "t", "name": "Caf\0e \\u0000", "merchant_name": "\0\\\0\0"}
    bank.control.changes(item_id, added=[named, {"transaction_id": "u"}])
    assert api.sync(item_id)["transactions_synced"] == 2
    (row,) = stored(api, q="cafe").values()
    assert (row["name"], row["merchant_name"]) == ("Cafe \\u0000", "\\")
    assert api.accounts()[0]["name"] == "Checking"

"""The first sync: it starts by itself, takes every page, and waits for what Plaid is still fetching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import wait_until
from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    background,
    bank_account,
    exchange,
    holding,
    newcomer,
    person,
    purchases,
    query,
    stored,
    tags,
)

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running


def test_three_pages_are_pulled_and_shown_at_once(api: Api, bank: Running) -> None:
    """A history of three pages appears as a whole, and without anyone asking for a sync."""
    new = newcomer(api, bank, **person())
    bank.control.bulk(new.item_id, 1200)
    with holding(bank, SYNC_PATH, after=2) as hold:
        assert exchange(api, new.public_token).is_success
        hold.reached()
        assert stored(api) == {}
        hold.release()
        wait_until(lambda: stored(api))
    assert_equals_ledger(api, bank, new.item_id)
    pages = bank.control.calls(SYNC_PATH)
    assert [page["count"] for page in pages] == [500, 500, 500]
    assert pages[0]["cursor"] == ""
    assert len({page["cursor"] for page in pages}) == 3


def test_linking_brings_accounts_and_institution(api: Api, bank: Running) -> None:
    """Soon after the exchange the accounts stand with balances under their institution's name."""
    api.link(bank, **person(bank_account(starting_balance=12.5)))
    (account,) = wait_until(lambda: [row for row in api.accounts() if row["updated_at"]])
    assert (account["institution"], account["balance"]) == ("First Platypus Bank", 12.5)


def test_accounts_stand_before_the_first_sync(api: Api, bank: Running) -> None:
    """What Link told of the accounts is listed even while Plaid does not answer for them yet."""
    with holding(bank, "/accounts/get") as hold:
        api.link(bank, **person(bank_account("Household", "0042")))
        hold.reached()
        (account,) = api.accounts()
    assert (account["name"], account["mask"], account["balance"]) == ("Household", "0042", None)
    assert account["institution"] == "First Platypus Bank"


def test_an_accounts_id_stays(api: Api, bank: Running) -> None:
    """`id` is the same before and after Plaid described the account, and after a change of name."""
    with holding(bank, "/accounts/get") as hold:
        item_id = api.link(bank, **person())
        hold.reached()
        (before,) = api.accounts()
    api.sync_until_complete(item_id)
    account = {"account_id": before["account_id"], "name": "Renamed"}
    bank.control.accounts(item_id, upsert=[account])
    api.sync(item_id)
    (after,) = api.accounts()
    assert (after["id"], after["name"]) == (before["id"], "Renamed")


def test_not_ready_is_a_state(api: Api, runtime: Runtime, bank: Running) -> None:
    """While Plaid has nothing yet the sync says not_ready, and Bankloom asks again by itself."""
    new = newcomer(api, bank, **person(bank_account(transactions=purchases(5))))
    bank.control.readiness(new.item_id, "NOT_READY")
    assert exchange(api, new.public_token).is_success
    answer = api.post("/plaid/sync", item_id=new.item_id)
    assert (answer.status_code, answer.json()["status"]) == (200, "not_ready")
    assert answer.json()["transactions_synced"] == 0
    (tag,) = query(runtime, "SELECT *, next_try_at - last_try_at AS wait FROM item_products")
    assert (tag.cursor, tag.state, tag.failures) == ("", "syncing", 0)
    assert tag.wait.total_seconds() < 16
    bank.control.readiness(new.item_id, "HISTORICAL_UPDATE_COMPLETE")
    wait_until(lambda: len(stored(api)) == 5)
    assert_equals_ledger(api, bank, new.item_id)


def test_unfinished_history_is_asked_for_again(api: Api, runtime: Runtime, bank: Running) -> None:
    """With only the newest month there, the rest is fetched soon, without a call or a webhook."""
    new = newcomer(api, bank)
    bank.control.readiness(new.item_id, "INITIAL_UPDATE_COMPLETE")
    assert exchange(api, new.public_token).is_success
    first = len(wait_until(lambda: stored(api)))
    assert first < 50
    bank.control.readiness(new.item_id, "HISTORICAL_UPDATE_COMPLETE")
    wait_until(lambda: len(stored(api)) > 300)
    assert_equals_ledger(api, bank, new.item_id)
    due = "SELECT next_try_at - last_try_at AS wait FROM item_products"
    wait_until(lambda: query(runtime, due)[0].wait.total_seconds() > 3600)
    assert tags(runtime) == {"transactions": "ready"}


def test_a_second_item_is_not_held_up(api: Api, bank: Running) -> None:
    """While one Item waits for Plaid, another is linked and synced."""
    slow = newcomer(api, bank, "ada", **person())
    with holding(bank, SYNC_PATH, item_id=slow.item_id, times=0) as hold, background() as start:
        start(exchange, api, slow.public_token)
        hold.reached()
        quick = newcomer(api, bank, "grace", **person())
        bank.control.changes(quick.item_id, added=[{"amount": 7}])
        assert exchange(api, quick.public_token).is_success
        wait_until(lambda: stored(api, user_id="grace"))
        assert stored(api, user_id="ada") == {}

"""An Item's state: what moves it, and that only a call for its data that went well makes it healthy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import wait_until
from scenes import (
    SYNC_PATH,
    ask_plaid,
    assert_equals_ledger,
    exchange,
    holding,
    linked,
    newcomer,
    person,
    query,
    tags,
)
from workers import ask_for_run, jobs_of, runs, settle, tick_now

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

BROKEN = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}
DOWN = {"error_type": "INSTITUTION_ERROR", "error_code": "INSTITUTION_DOWN"}
BUSY = {"status": 429, "error_type": "RATE_LIMIT_EXCEEDED", "error_code": "TRANSACTIONS_SYNC_LIMIT"}


def state(runtime: Runtime) -> tuple[str, str | None]:
    """Return the state and the reason of the one Item."""
    (row,) = query(runtime, "SELECT state, state_reason FROM items")
    return row.state, row.state_reason


def linked_with_token(api: Api, bank: Running) -> tuple[str, str]:
    """Link an Item and return it with its access token."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    return new.item_id, token


def update_mode(bank: Running, token: str) -> None:
    """Log in again at the bank, in an update mode that we did not open."""
    body = {
        "client_name": "Test",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "1"},
        "access_token": token,
    }
    bank.control.complete_link(ask_plaid(bank, "/link/token/create", **body)["link_token"])


def look(runtime: Runtime) -> None:
    """Let the Item be due to be looked at, and nothing else, and let the tick find it."""
    query(runtime, "UPDATE items SET check_at = now()")
    tick_now(runtime)


def check(runtime: Runtime) -> None:
    """Let the Item be looked at, and wait until it was."""
    asked = "SELECT asked_at FROM items"
    before = query(runtime, asked)
    look(runtime)
    wait_until(lambda: query(runtime, asked) != before)
    settle(runtime)


def hours_until_check(runtime: Runtime) -> float:
    """Return in how many hours the Item is looked at again."""
    (row,) = query(runtime, "SELECT extract(epoch FROM check_at - now()) AS seconds FROM items")
    return float(row.seconds) / 3600


def test_an_item_is_new_until_its_data_came(api: Api, runtime: Runtime, bank: Running) -> None:
    """That Plaid knows the Item is no proof; that it gave its accounts is."""
    new = newcomer(api, bank, **person())
    with holding(bank, "/accounts/get") as hold:
        assert exchange(api, new.public_token).is_success
        hold.reached()
        assert query(runtime, "SELECT asked_at IS NOT NULL FROM items") == [(True,)]
        assert state(runtime) == ("new", None)
    api.sync_until_complete(new.item_id)
    assert state(runtime) == ("healthy", None)


def test_a_passing_trouble_degrades(api: Api, runtime: Runtime, bank: Running) -> None:
    """A bank that is down says so in the state, until the next call that went well."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, error=DOWN)
    assert api.sync(item_id)["status"] == "failed"
    assert state(runtime) == ("degraded", "INSTITUTION_DOWN")
    assert api.sync(item_id)["status"] == "up_to_date"
    assert state(runtime) == ("healthy", None)


def test_a_repair_is_proven_before_it_is_believed(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """That `/item/get` has no error any more is no proof: the data must come again."""
    item_id, token = linked_with_token(api, bank)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    assert api.sync(item_id)["status"] == "needs_relink"
    assert state(runtime) == ("needs re-link", "ITEM_LOGIN_REQUIRED")
    update_mode(bank, token)
    with holding(bank, "/accounts/get") as hold:
        api.sync(item_id, wait=False)
        hold.reached()
        assert query(runtime, "SELECT reported_error_code FROM items") == [(None,)]
        assert state(runtime) == ("needs re-link", "ITEM_LOGIN_REQUIRED")
    settle(runtime)
    assert state(runtime) == ("healthy", None)


def test_an_item_that_waits_for_a_login_is_asked_about_daily(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Only `/item/get` is called, and once it tells of no error, everything is pulled again."""
    item_id, token = linked_with_token(api, bank)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    api.sync(item_id)
    assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]
    assert 18 <= hours_until_check(runtime) <= 30
    bank.control.forget_calls()
    check(runtime)
    assert [call["path"] for call in bank.control.calls(item_id=item_id)] == ["/item/get"]
    assert 17.9 <= hours_until_check(runtime) <= 30
    bank.control.changes(item_id, added=[{"amount": 1}])
    update_mode(bank, token)
    check(runtime)
    wait_until(lambda: state(runtime) == ("healthy", None))
    settle(runtime)
    assert tags(runtime) == {"transactions": "ready"}
    assert_equals_ledger(api, bank, item_id)
    assert 4.4 <= hours_until_check(runtime) <= 7.5


def test_an_item_that_is_gone_is_left_alone(api: Api, runtime: Runtime, bank: Running) -> None:
    """What no update mode repairs is revoked, and neither polled nor probed any more."""
    item_id = linked(api, bank)
    revoked = {"error_type": "ITEM_ERROR", "error_code": "USER_PERMISSION_REVOKED"}
    bank.control.fault(SYNC_PATH, error=revoked)
    assert api.sync(item_id)["status"] == "needs_relink"
    assert state(runtime) == ("revoked", "USER_PERMISSION_REVOKED")
    assert query(runtime, "SELECT check_at FROM items") == [(None,)]
    assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]


def test_a_consent_that_ends_soon_is_told(api: Api, runtime: Runtime, bank: Running) -> None:
    """By what `/item/get` says, a week ahead; a later date, or none, is no trouble."""
    item_id = linked(api, bank)
    for hours, expected in ((24 * 3, "disconnecting"), (24 * 30, "healthy")):
        (row,) = query(runtime, "SELECT now() + make_interval(hours => :h) AS at", h=hours)
        told = {"item": {"item_id": item_id, "consent_expiration_time": row.at.isoformat()}}
        bank.control.fault("/item/get", body=json.dumps(told | {"request_id": "r"}))
        check(runtime)
        assert state(runtime)[0] == expected


def test_a_code_that_nobody_knows_needs_you(api: Api, runtime: Runtime, bank: Running) -> None:
    """It is tried no more by itself, and the tag and the Item both say why."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, error={"error_type": "ITEM_ERROR", "error_code": "BRAND_NEW"})
    api.sync(item_id)
    assert tags(runtime) == {"transactions": "needs you"}
    assert state(runtime) == ("degraded", "BRAND_NEW")


def test_a_check_reads_balances_and_nothing_that_is_billed(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Whatever falls due by itself, of every product, calls only what Plaid does not bill by the call."""
    products = ["transactions", "investments", "liabilities", "auth", "identity"]
    item_id = api.link(bank, products=products, **person())
    api.sync_until_complete(item_id)
    settle(runtime)
    bank.control.accounts(item_id, upsert=[_with_balance(bank, item_id, 77)])
    bank.control.forget_calls()
    check(runtime)
    assert [row["balance"] for row in api.accounts()] == [77]
    query(runtime, "UPDATE item_products SET next_try_at = now()")
    tick_now(runtime)
    wait_until(lambda: bank.control.calls(SYNC_PATH))
    settle(runtime)
    asked = {call["path"] for call in bank.control.calls(item_id=item_id)}
    assert asked == {"/item/get", "/accounts/get", "/transactions/sync"}


def _with_balance(bank: Running, item_id: str, current: int) -> dict[str, Any]:
    (account,) = bank.control.ledger(item_id)["accounts"]
    return {"account_id": account["account_id"], "balances": {"current": current}}


def test_a_webhook_that_never_came_is_noticed(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where Plaid has told of transactions after our last pull, though to nobody who heard it."""
    item_id = linked(api, bank)
    settle(runtime)
    access_token = runtime.keyring.open(
        query(runtime, "SELECT access_token_sealed FROM items")[0].access_token_sealed, item_id
    )
    nowhere = "http://127.0.0.1:9/"
    ask_plaid(bank, "/item/webhook/update", access_token=access_token, webhook=nowhere)
    code = "SYNC_UPDATES_AVAILABLE"
    ask_plaid(bank, "/sandbox/item/fire_webhook", access_token=access_token, webhook_code=code)
    check(runtime)
    wait_until(lambda: "gap" in _triggers(runtime))


def test_an_update_without_a_webhook_is_noticed(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where Plaid reached the bank after our last pull, the check makes the transactions due."""
    item_id = linked(api, bank)
    settle(runtime)
    check(runtime)
    assert jobs_of(runtime) == []
    before = runs(runtime, item_id)
    bank.control.changes(item_id, added=[{"amount": 1}])
    check(runtime)
    wait_until(lambda: "gap" in _triggers(runtime))
    settle(runtime)
    assert runs(runtime, item_id)[len(before) :] == ["up_to_date", "synced"]
    assert_equals_ledger(api, bank, item_id)


def _triggers(runtime: Runtime) -> list[str]:
    return [row.trigger for row in query(runtime, "SELECT trigger FROM sync_runs")]


@pytest.mark.parametrize("path", [SYNC_PATH, "/accounts/get"])
def test_an_item_asked_too_often_cools_down(
    api: Api, runtime: Runtime, bank: Running, path: str
) -> None:
    """A 429 delays and fails nothing: the tag keeps its state, and nothing is asked meanwhile."""
    item_id = linked(api, bank)
    settle(runtime)
    bank.control.changes(item_id, added=[{"amount": 1}])
    bank.control.fault(path, error=BUSY)
    answer = api.post("/plaid/sync", item_id=item_id)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    (row,) = query(runtime, "SELECT cooling_until, next_try_at FROM items, item_products")
    assert row.cooling_until == row.next_try_at
    assert answer.json()["next_try_at"] == row.cooling_until.isoformat().replace("+00:00", "Z")
    assert tags(runtime) == {"transactions": "ready"}
    assert state(runtime) == ("healthy", None)
    bank.control.forget_calls()
    again = api.post("/plaid/sync", item_id=item_id)
    assert again.json()["run_id"] == answer.json()["run_id"]
    settle(runtime)
    assert bank.control.calls() == []
    query(runtime, "UPDATE items SET cooling_until = now()")
    assert api.sync(item_id)["status"] == "synced"
    assert query(runtime, "SELECT coolings FROM items") == [(0,)]
    assert_equals_ledger(api, bank, item_id)


def test_a_look_that_fails_is_not_repeated_at_once(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Where Plaid refuses to tell of the Item, that shows, and it is asked again in an hour or so."""
    linked(api, bank)
    settle(runtime)
    unknown = {"error_type": "INVALID_INPUT", "error_code": "INVALID_ACCESS_TOKEN"}
    bank.control.fault("/item/get", error=unknown)
    look(runtime)
    wait_until(lambda: state(runtime) == ("degraded", "INVALID_ACCESS_TOKEN"))
    settle(runtime)
    assert 4 <= hours_until_check(runtime) <= 7.6  # by its new state; without a change in an hour
    bank.control.fault("/item/get", error=unknown)
    look(runtime)
    wait_until(lambda: hours_until_check(runtime) > 0.5)
    assert 0.7 <= hours_until_check(runtime) <= 1.3
    check(runtime)
    assert state(runtime) == ("healthy", None)


def test_silence_about_the_item_is_not_met_with_a_flood(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """While Plaid gives no answer, the Item is looked at once an hour, not with every lease."""
    linked(api, bank)
    settle(runtime)
    bank.control.fault("*", drop=True, times=0)
    look(runtime)
    wait_until(lambda: hours_until_check(runtime) > 0.5)
    assert 0.7 <= hours_until_check(runtime) <= 1.3


def test_an_item_whose_token_does_not_open_is_left_for_an_hour(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """It makes one failed run, and not one a tick."""
    item_id = linked(api, bank)
    settle(runtime)
    before = len(runs(runtime, item_id))
    query(runtime, "UPDATE items SET access_token_sealed = 'v1.lost.x'")
    look(runtime)
    wait_until(lambda: len(runs(runtime, item_id)) > before)
    settle(runtime)
    assert runs(runtime, item_id)[before:] == ["failed"]
    assert hours_until_check(runtime) > 0.9
    assert query(runtime, "SELECT 1 FROM item_products WHERE next_try_at < now()") == []


def test_a_failed_try_gives_no_consent(api: Api, runtime: Runtime, bank: Running) -> None:
    """Whatever kept a person's sync from asking: no automatic run tries the product afterwards."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token).is_success
    settle(runtime)
    assert tags(runtime) == {"transactions": "consent needed"}
    bank.control.fault("/accounts/get", error=DOWN)
    assert api.sync(new.item_id)["status"] == "failed"
    assert tags(runtime) == {"transactions": "consent needed"}
    assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]


def test_an_item_that_stays_busy_rests_longer(api: Api, runtime: Runtime, bank: Running) -> None:
    """Each 429 without a hint doubles the rest, though its accounts were given in between."""
    item_id = linked(api, bank)
    settle(runtime)
    bank.control.fault(SYNC_PATH, error=BUSY, times=2)
    for coolings in (1, 2):
        query(runtime, "UPDATE items SET cooling_until = NULL")
        assert api.sync(item_id)["status"] == "queued"
        assert query(runtime, "SELECT coolings FROM items") == [(coolings,)]
    query(runtime, "UPDATE items SET cooling_until = NULL")
    assert api.sync(item_id)["status"] == "up_to_date"
    assert query(runtime, "SELECT coolings FROM items") == [(0,)]


def test_an_item_that_was_given_up_is_looked_at_again_once_it_is_back(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """What only `/item/get` called gone, and a call for its data proves to be there, has a schedule."""
    item_id = linked(api, bank)
    settle(runtime)
    gone = {"error_type": "ITEM_ERROR", "error_code": "USER_PERMISSION_REVOKED"}
    told = {"item": {"item_id": item_id, "error": gone}, "request_id": "r"}
    bank.control.fault("/item/get", body=json.dumps(told))
    check(runtime)
    assert state(runtime)[0] == "revoked"
    assert query(runtime, "SELECT check_at FROM items") == [(None,)]
    assert api.sync(item_id)["status"] == "up_to_date"
    assert state(runtime) == ("healthy", None)
    assert 4 <= hours_until_check(runtime) <= 7.6


def test_a_date_that_passed_hides_no_later_one(api: Api, runtime: Runtime, bank: Running) -> None:
    """An announced end that did not come says nothing about the consent that ends next week."""
    item_id = linked(api, bank)
    settle(runtime)
    query(runtime, "UPDATE items SET disconnect_at = now() - interval '1 year', created_at = now()")
    (row,) = query(runtime, "SELECT now() + interval '3 days' AS at")
    told = {"item": {"item_id": item_id, "consent_expiration_time": row.at.isoformat()}}
    bank.control.fault("/item/get", body=json.dumps(told | {"request_id": "r"}))
    check(runtime)
    assert state(runtime) == ("disconnecting", "CONSENT_EXPIRES")


def test_a_queued_run_without_a_job_is_found(api: Api, runtime: Runtime, bank: Running) -> None:
    """Nothing of the Item is due, and its job was lost: the tick wakes it all the same."""
    item_id = linked(api, bank)
    settle(runtime)
    query(runtime, "UPDATE item_products SET next_try_at = NULL")
    query(
        runtime,
        "INSERT INTO sync_runs (item_id, trigger, requested_at) VALUES (:item_id, 'test', now())",
        item_id=item_id,
    )
    tick_now(runtime)
    wait_until(lambda: runs(runtime, item_id)[-1] == "up_to_date")


def test_what_needs_you_waits_for_you(api: Api, runtime: Runtime, bank: Running) -> None:
    """No webhook, takeover or schedule tries it: it would fail as it did, perhaps at great cost."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, error={"error_type": "ITEM_ERROR", "error_code": "BRAND_NEW"})
    api.sync(item_id)
    bank.control.forget_calls()
    ask_for_run(runtime, item_id)
    settle(runtime)
    assert bank.control.calls(SYNC_PATH) == []
    assert api.sync(item_id)["status"] == "up_to_date"
    assert tags(runtime) == {"transactions": "ready"}

"""`GET /plaid/items` and one Item: its state and why, how fresh it is, how far back it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bankloom.models import ApiKey, ItemState, User
from bankloom.services import advice
from bankloom.services.plaid_errors import CODES_FOR_THE_PERSON
from harness import serving, wait_until
from scenes import (
    SYNC_PATH,
    ask_plaid,
    bank_account,
    exchange,
    executed,
    linked,
    newcomer,
    person,
    purchases,
    query,
    sandbox_public_token,
    states,
)
from workers import store_item

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

RATE_LIMIT = {
    "error_type": "RATE_LIMIT_EXCEEDED",
    "error_code": "TRANSACTIONS_SYNC_LIMIT",
    "status": 429,
}


def show(api: Api, item_id: str) -> dict[str, Any]:
    """Return the Item as its own page tells of it, which is as the list does."""
    answer = api.get(f"/plaid/items/{item_id}")
    assert answer.status_code == 200, answer.text
    item: dict[str, Any] = answer.json()
    assert [item] == api.get("/plaid/items", item_id=item_id, user_id="*").json()
    return item


def test_all_that_is_told_of_an_item(api: Api, bank: Running) -> None:
    """Bank, person, accounts, how far back and how fresh, each as the bank has it."""
    accounts = (
        bank_account(transactions=purchases(40)),
        bank_account("Savings", "0002", transactions=purchases(3)),
    )
    item_id = linked(api, bank, **person(*accounts))
    item = show(api, item_id)
    assert (item["user_id"], item["institution"]) == ("ada", "First Platypus Bank")
    assert item["accounts"] == {"open": 2, "closed": 0}
    oldest = min(row["date"] for row in bank.control.ledger(item_id)["transactions"])
    assert item["history"] == {"days_requested": 730, "oldest_date": oldest}
    assert (item["error_code"], item["last_error"], item["webhook_url"]) == (None, None, None)
    assert (item["cooling_until"], item["disconnect_at"], item["new_accounts_at"]) == (None,) * 3
    (tag,) = item["products"]
    assert tag["freshness"]["pulled_at"] == tag["last_success_at"] > item["created_at"]
    assert item["next_try_at"] <= tag["next_try_at"]
    assert ItemState(item["state"]) in {ItemState.NEW, ItemState.HEALTHY}


@pytest.mark.parametrize(("on_the_item", "days"), [("transactions", None), ("liabilities", 730)])
def test_how_far_back_others_asked_is_not_known(
    api: Api, bank: Running, on_the_item: str, days: int | None
) -> None:
    """Somebody else linked it: what they asked for stands, unless our sync adds Transactions."""
    token = sandbox_public_token(bank, initial_products=(on_the_item,))
    path = f"/plaid/items/{exchange(api, token, user_id='ada').json()['item_id']}"
    wait_until(lambda: api.get(path).json()["institution"])
    assert api.get(path).json()["history"]["days_requested"] == days


def test_accounts_that_are_no_longer_listed_are_counted(api: Api, bank: Running) -> None:
    """A closed account is told of as such, and its history still counts."""
    accounts = bank_account(transactions=purchases(9)), bank_account("Savings", "0002")
    item_id = linked(api, bank, **person(*accounts))
    (row,) = {row["account_id"] for row in bank.control.ledger(item_id)["transactions"]}
    before = show(api, item_id)["history"]
    bank.control.accounts(item_id, close=[row])
    api.sync(item_id)
    item = show(api, item_id)
    assert item["accounts"] == {"open": 1, "closed": 1}
    assert item["history"] == before


def test_a_registered_webhook_is_told_of(settings: Settings, bank: Running) -> None:
    """Once Plaid has taken our URL, the Item says so."""
    public = settings.model_copy(update={"public_url": "https://bank.example"})
    with serving(public) as (api, _):
        item_id = linked(api, bank)
        assert show(api, item_id)["webhook_url"] == "https://bank.example/plaid/webhook"


def test_a_broken_login_says_what_to_do(api: Api, bank: Running) -> None:
    """The reason names Plaid's code and the way through Link; the error has Plaid's request id."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    assert api.sync(new.item_id)["status"] == "needs_relink"
    request_id = bank.control.calls()[-1]["request_id"]
    item = show(api, new.item_id)
    assert item["reason"]["code"] == item["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert "update mode" in item["reason"]["message"]
    assert item["last_error"]["code"] == "ITEM_LOGIN_REQUIRED"
    assert item["last_error"]["request_id"] == request_id
    assert item["last_error"]["product"] == "transactions"
    assert item["last_error"]["at"] >= item["created_at"]


def test_a_limit_passes_by_itself(api: Api, runtime: Runtime, bank: Running) -> None:
    """After a 429 the Item says until when it cools, and stays what it was."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, error=RATE_LIMIT, item_id=item_id)
    assert api.sync(item_id)["status"] == "queued"
    item = show(api, item_id)
    assert (item["state"], item["reason"]) == ("healthy", None)
    assert item["next_try_at"] == item["cooling_until"] is not None
    query(runtime, "UPDATE items SET cooling_until = NULL")
    assert api.sync(item_id)["status"] == "up_to_date"
    assert show(api, item_id)["cooling_until"] is None


def test_a_missing_consent_says_what_to_do(api: Api, bank: Running) -> None:
    """The person's agreement is what it waits for, and no time is named for it."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token).is_success
    assert api.sync(new.item_id)["status"] == "needs_relink"
    item = show(api, new.item_id)
    assert item["reason"]["code"] == "ADDITIONAL_CONSENT_REQUIRED"
    assert "reason products" in item["reason"]["message"]
    assert item["products"][0]["next_try_at"] is None


@pytest.mark.parametrize(
    ("code", "state"), [("INSTITUTION_DOWN", "failing"), ("BRAND_NEW", "needs you")]
)
def test_a_missing_consent_hides_no_failure(api: Api, bank: Running, code: str, state: str) -> None:
    """A product that nobody consented to is trouble, and another's failure is the graver one."""
    new = newcomer(api, bank, products=["transactions"], **person())
    assert exchange(api, new.public_token, "investments").is_success
    wait_until(lambda: show_quietly(api, new.item_id)["state"] == "degraded")
    assert show_quietly(api, new.item_id)["reason"]["code"] == "ADDITIONAL_CONSENT_REQUIRED"
    bank.control.fault(SYNC_PATH, times=0, error={"error_type": "ITEM_ERROR", "error_code": code})
    assert exchange(api, new.public_token).is_success
    wait_until(lambda: states(api)[new.item_id].get("transactions") == state)
    item = show_quietly(api, new.item_id)
    assert (item["state"], item["reason"]["code"]) == ("degraded", code)


def show_quietly(api: Api, item_id: str) -> dict[str, Any]:
    """Return the Item while it may change."""
    item: dict[str, Any] = api.get(f"/plaid/items/{item_id}").json()
    return item


def test_a_failure_without_products_is_told_of(still: tuple[Api, Runtime], bank: Running) -> None:
    """Where no product has failed, but the last run has, its error is the Item's last."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    insert = (
        "INSERT INTO sync_runs (item_id, status, trigger, requested_at, finished_at, error_code,"
        " error_message, request_id) VALUES (:item_id, :status, 'schedule', now(), now(), :code,"
        " 'what it said', :request_id)"
    )
    query(runtime, insert, item_id=item_id, status="failed", code="OOPS", request_id="r1")
    error = show(api, item_id)["last_error"]
    assert (error["code"], error["request_id"], error["product"]) == ("OOPS", "r1", None)
    query(runtime, insert, item_id=item_id, status="up_to_date", code=None, request_id=None)
    assert show(api, item_id)["last_error"] is None


def test_freshness_is_of_three_clocks(still: tuple[Api, Runtime], bank: Running) -> None:
    """When the bank last gave data, when Plaid last tried it, when we last pulled."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    (tag,) = show(api, item_id)["products"]
    assert set(tag["freshness"].values()) == {None}
    query(
        runtime,
        "UPDATE items SET bank_updated_at = '2026-01-02T03:04:05Z', bank_failed_at = :failed",
        failed="2026-01-03T00:00:00Z",
    )
    query(runtime, "UPDATE item_products SET last_success_at = '2026-01-04T00:00:00Z'")
    expected = {
        "bank_updated_at": "2026-01-02T03:04:05Z",
        "plaid_tried_at": "2026-01-03T00:00:00Z",
        "pulled_at": "2026-01-04T00:00:00Z",
    }
    assert show(api, item_id)["products"][0]["freshness"] == expected
    query(runtime, "UPDATE items SET bank_failed_at = NULL, days_requested = 90")
    item = show(api, item_id)
    assert item["products"][0]["freshness"]["plaid_tried_at"] == "2026-01-02T03:04:05Z"
    assert item["history"] == {"days_requested": 90, "oldest_date": None}
    query(runtime, "UPDATE item_products SET product = 'liabilities'")
    fresh = show(api, item_id)["products"][0]["freshness"]
    assert fresh == {**dict.fromkeys(expected), "pulled_at": "2026-01-04T00:00:00Z"}


@pytest.mark.parametrize("state", [each for each in ItemState if each != ItemState.REMOVED])
def test_every_state_has_words(still: tuple[Api, Runtime], bank: Running, state: ItemState) -> None:
    """Each state but the healthy one says why and what to do, since when, and is a filter."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    since = "UPDATE items SET state = :state, state_since = '2026-01-02T00:00:00Z'"
    query(runtime, since, state=state)
    item = show(api, item_id)
    assert (item["state"], item["state_since"]) == (state, "2026-01-02T00:00:00Z")
    assert (item["reason"] is None) == (state == ItemState.HEALTHY)
    assert [each["item_id"] for each in api.get("/plaid/items", state=state).json()] == [item_id]
    others = [each.value for each in ItemState if each != state]
    assert api.get("/plaid/items", state=others).json() == []


def test_what_plaid_announces_is_told(still: tuple[Api, Runtime], bank: Running) -> None:
    """The day of a disconnection and the news of accounts stand on the Item, with the cause."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    query(
        runtime,
        "UPDATE items SET state = 'disconnecting', disconnect_at = '2026-05-01T00:00:00Z',"
        " state_reason = 'INSTITUTION_MIGRATION', new_accounts_at = '2026-04-01T00:00:00Z'",
    )
    item = show(api, item_id)
    assert item["disconnect_at"] == "2026-05-01T00:00:00Z"
    assert item["new_accounts_at"] == "2026-04-01T00:00:00Z"
    assert item["reason"]["code"] == "INSTITUTION_MIGRATION"
    assert "disconnect_at" in item["reason"]["message"]


def test_words_are_closed_by_default() -> None:
    """A code that nobody knows is for an operator, unless it is tried again by itself."""
    assert "No waiting mends this" in advice.about_error("BRAND_NEW", is_tried_again=False)
    assert "by itself" in advice.about_error("BRAND_NEW", is_tried_again=True)
    for code in CODES_FOR_THE_PERSON:
        words = advice.about_error(code, is_tried_again=True)
        assert "Link" in words


def test_nobody_elses_item_is_shown(api: Api, runtime: Runtime, bank: Running) -> None:
    """To a person's key another person's Item is not there, and neither is one that is not."""
    hers, his = linked(api, bank, "ada"), linked(api, bank, "bob")
    with runtime.database.session() as session:
        ada = User.find(session, "ada")
        assert ada is not None
        key = ApiKey.create(session, "ada's", ada.id).text
    for path in (f"/plaid/items/{his}", "/plaid/items/unknown", f"/plaid/items/{hers.swapcase()}"):
        answer = api.client.get(path, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    own = api.client.get(f"/plaid/items/{hers}", headers={"Authorization": f"Bearer {key}"})
    assert own.json()["item_id"] == hers
    assert api.get("/plaid/items", user_id="ada", item_id=his).json() == []


def test_bad_filters_are_refused(api: Api) -> None:
    """A state that is none, an id that can't be one, a filter that is none: 422."""
    for query_string in ("state=fine", "item_id=", "item_id=%00", "sate=new"):
        answer = api.client.get(f"/plaid/items?{query_string}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert api.client.get("/plaid/items/%00").status_code == 422


def test_many_items_cost_as_many_statements_as_one(
    still: tuple[Api, Runtime], bank: Running
) -> None:
    """A list asks the database a fixed number of times, however many Items there are."""
    api, runtime = still
    counts = []
    for more in (1, 5):
        for _ in range(more):
            store_item(runtime, bank)
        with executed(runtime) as seen:
            assert api.get("/plaid/items").status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]

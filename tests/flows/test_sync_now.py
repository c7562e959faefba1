"""POST /plaid/sync: it asks for a run, waits for the one that begins afterwards, and tells its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.core import clock
from bankloom.models import SyncRun
from bankloom.services import request_run, show_run, sync_item, tick
from harness import serving, wait_until
from scenes import (
    SYNC_PATH,
    ask_plaid,
    assert_equals_ledger,
    background,
    exchange,
    holding,
    linked,
    never,
    newcomer,
    person,
    query,
    stored,
    tags,
)

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

UNKNOWN_RUN = "00000000-0000-0000-0000-000000000000"
WAITS_FOR_TAGS = """
    SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


def test_an_item_is_named_by_token_or_by_id(api: Api, bank: Running) -> None:
    """Either name will do, and each sync counts the distinct transactions it changed."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    added = bank.control.changes(new.item_id, added=[{"amount": 1}, {"amount": 2}])["added"]
    answer = api.post("/plaid/sync", access_token=token)
    assert answer.status_code == 200
    assert answer.json()["status"] == "synced"
    assert answer.json()["transactions_synced"] == 2
    bank.control.changes(
        new.item_id,
        added=[{"amount": 3}],
        modified=[{"transaction_id": added[0], "amount": 4}],
        removed=[added[1]],
    )
    assert api.sync(new.item_id)["transactions_synced"] == 3
    answer = api.post("/plaid/sync", item_id=new.item_id)
    assert answer.status_code == 200
    assert answer.json()["status"] == "up_to_date"
    assert answer.json()["transactions_synced"] == 0


def test_exactly_one_name(api: Api) -> None:
    """Neither or both names are refused."""
    for body in ({}, {"item_id": "i", "access_token": "t"}):
        answer = api.post("/plaid/sync", **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_an_unknown_item(api: Api, bank: Running) -> None:
    """An Item that is not here is a 404, and its id matters to the letter."""
    item_id = linked(api, bank)
    token = "access-sandbox-00000000-0000-0000-0000-000000000000"
    for each in ({"item_id": "x"}, {"item_id": item_id.swapcase()}, {"access_token": token}):
        answer = api.post("/plaid/sync", **each)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert api.get(f"/plaid/runs/{UNKNOWN_RUN}").status_code == 404


def test_not_waiting_answers_at_once(api: Api, bank: Running) -> None:
    """With wait=false the answer is 202 and a run, whose page tells how it ended."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    with holding(bank, SYNC_PATH) as hold:
        answer = api.post("/plaid/sync", item_id=item_id, wait=False)
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        run_url = answer.json()["run_url"]
        assert run_url == f"/plaid/runs/{answer.json()['run_id']}"
        hold.reached()
        assert api.get(run_url).json()["status"] == "running"
        hold.release()
    run = wait_until(lambda: (told := api.get(run_url).json())["finished_at"] and told)
    assert (run["status"], run["item_id"], run["error"]) == ("synced", item_id, None)
    counts = [run[name] for name in ("transactions_synced", "added", "modified", "removed")]
    assert counts == [1, 1, 0, 0]


def test_twenty_calls_during_a_run_make_one_more(api: Api, bank: Running) -> None:
    """Each call waits for a run that begins after it, and one such run serves them all."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    bank.control.forget_calls()
    with holding(bank, SYNC_PATH) as hold, background() as start:
        first = start(api.sync, item_id)
        hold.reached()
        others = [start(api.sync, item_id) for _ in range(20)]
        queued = {api.sync(item_id, wait=False)["run_id"] for _ in range(3)}
        wait_until(lambda: sum(not each.done() for each in others) == 20)
        assert len(queued) == 1
        hold.release()
        assert first.result()["transactions_synced"] == 1
        answers = [each.result() for each in others]
    assert {answer["run_id"] for answer in answers} <= queued
    assert {answer["status"] for answer in answers} == {"up_to_date"}
    assert len(bank.control.calls(SYNC_PATH)) == 2


def test_a_long_run_is_not_waited_for(
    api: Api, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its longest wait a call answers 202 with the run, before any proxy gives up."""
    assert show_run.WAIT_SECONDS_MAX == 25
    monkeypatch.setattr(show_run, "WAIT_SECONDS_MAX", 0.1)
    item_id = linked(api, bank)
    with holding(bank, SYNC_PATH) as hold:
        answer = api.post("/plaid/sync", item_id=item_id)
        hold.reached()
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    wait_until(lambda: api.get(answer.json()["run_url"]).json()["status"] == "up_to_date")


def test_two_services_share_one_database(settings: Settings, bank: Running) -> None:
    """Runs of one Item asked for at two services never spoil each other."""
    with serving(settings) as (api, _), serving(settings) as (other, _), background() as start:
        item_id = linked(api, bank)
        for number in range(3):
            bank.control.changes(item_id, added=[{"amount": number}])
            calls = [start(each.sync, item_id) for each in (api, other) * 5]
            assert {call.result()["status"] for call in calls} <= {"synced", "up_to_date"}
        assert_equals_ledger(other, bank, item_id)


def test_what_falls_due_is_synced_unasked(api: Api, runtime: Runtime, bank: Running) -> None:
    """The tick finds every tag whose time has come, failed ones included."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    bank.control.fault(SYNC_PATH, drop=True)
    assert api.sync(item_id)["status"] == "failed"
    query(runtime, "UPDATE item_products SET next_try_at = now()")
    tick.now(runtime, [])
    wait_until(lambda: tags(runtime) == {"transactions": "ready"})
    assert_equals_ledger(api, bank, item_id)


def test_what_needs_consent_says_so(api: Api, runtime: Runtime, bank: Running) -> None:
    """A product without the person's consent tells so with Plaid's code, and is not tried again."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token).is_success
    assert tags(runtime) == {"transactions": "consent needed"}
    answer = api.sync(new.item_id)
    assert answer["status"] == "needs_relink"
    assert answer["error"]["code"] == "ADDITIONAL_CONSENT_REQUIRED"
    (tag,) = query(runtime, "SELECT state, next_try_at FROM item_products")
    assert tag == ("consent needed", None)


def test_a_request_that_is_being_committed_is_served_whole(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A run that begins at that moment claims all that was asked for, or leaves the request alone."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token).is_success
    assert api.sync(new.item_id)["status"] == "needs_relink"
    with runtime.database.session() as session:
        SyncRun.queue(session, new.item_id, "exchange", clock.now())
    with background() as start:
        with runtime.database.session() as session:
            run_id = request_run.request(session, new.item_id, "person")
            run = start(sync_item.now, runtime, new.item_id, never)
            # For the Item's tags: whatever else the worker may wait for meanwhile is another lock.
            wait_until(lambda: query(runtime, WAITS_FOR_TAGS))
        run.result()
    wait_until(lambda: api.get(f"/plaid/runs/{run_id}").json()["status"] == "needs_relink")


def test_a_broken_login_needs_the_person(api: Api, runtime: Runtime, bank: Running) -> None:
    """needs_relink (409) with Plaid's code, until the person went through update mode."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    bank.control.changes(new.item_id, added=[{"amount": 1}])
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    answer = api.post("/plaid/sync", item_id=new.item_id)
    assert (answer.status_code, answer.json()["status"]) == (409, "needs_relink")
    error = answer.json()["error"]
    assert error["code"] == "ITEM_LOGIN_REQUIRED"
    assert error["request_id"] == bank.control.calls()[-1]["request_id"]
    assert query(runtime, "SELECT error_code FROM items") == [("ITEM_LOGIN_REQUIRED",)]
    assert len(api.accounts()) == 1
    update_mode = {
        "client_name": "Test",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "1"},
        "access_token": token,
    }
    link_token = ask_plaid(bank, "/link/token/create", **update_mode)["link_token"]
    bank.control.complete_link(link_token)
    assert api.sync(new.item_id)["status"] == "synced"
    assert query(runtime, "SELECT error_code FROM items") == [(None,)]
    assert tags(runtime) == {"transactions": "ready"}
    assert_equals_ledger(api, bank, new.item_id)


@pytest.mark.parametrize(
    ("path", "error_type", "error_code", "status"),
    [
        (SYNC_PATH, "API_ERROR", "INTERNAL_SERVER_ERROR", 500),
        ("/accounts/get", "INSTITUTION_ERROR", "INSTITUTION_DOWN", 400),
    ],
)
def test_trouble_that_passes(  # noqa: PLR0917 - the parameters of Plaid's refusals
    api: Api,
    runtime: Runtime,
    bank: Running,
    path: str,
    error_type: str,
    error_code: str,
    status: int,
) -> None:
    """A refusal of Plaid's is failed (502) with its codes; the Item is due again, and recovers."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    refusal = {"error_type": error_type, "error_code": error_code, "status": status}
    bank.control.fault(path, error=refusal, item_id=item_id, times=2)
    for failures in (1, 2):
        answer = api.post("/plaid/sync", item_id=item_id)
        assert (answer.status_code, answer.json()["status"]) == (502, "failed")
        error = answer.json()["error"]
        assert error["code"] == error_code
        assert error["request_id"] == bank.control.calls()[-1]["request_id"]
        (tag,) = query(
            runtime, "SELECT *, extract(epoch FROM next_try_at - now()) AS wait FROM item_products"
        )
        assert (tag.state, tag.failures, tag.error_code) == ("failing", failures, error_code)
        assert tag.request_id == error["request_id"]
        assert 10 * failures < tag.wait < 80 * failures
    assert api.sync(item_id)["status"] == "synced"
    assert tags(runtime) == {"transactions": "ready"}
    assert_equals_ledger(api, bank, item_id)


def test_what_no_waiting_mends_is_not_tried_for_ever(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A code that this version does not know is permanent: only a trigger tries again."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, error={"error_type": "ITEM_ERROR", "error_code": "BRAND_NEW"})
    assert api.sync(item_id)["error"]["code"] == "BRAND_NEW"
    assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]
    assert api.sync(item_id)["status"] == "up_to_date"


def test_one_broken_item_leaves_others_alone(api: Api, bank: Running) -> None:
    """While Plaid fails for one Item, the others are synced as ever."""
    broken = linked(api, bank, "ada")
    healthy = linked(api, bank, "grace")
    refusal = {"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR", "status": 500}
    bank.control.fault("*", item_id=broken, error=refusal, times=0)
    for item_id in (broken, healthy):
        bank.control.changes(item_id, added=[{"amount": 1}])
    assert api.sync(broken)["status"] == "failed"
    assert api.sync(healthy)["status"] == "synced"
    assert len(stored(api, user_id="grace")) == 1


def test_a_product_without_data_yet_is_no_failure(api: Api, bank: Running) -> None:
    """An Item of which only other products were linked answers up_to_date."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token, "liabilities").is_success
    assert api.sync(new.item_id)["status"] == "up_to_date"
    assert bank.control.calls(SYNC_PATH) == []


def test_statuses_are_documented(api: Api) -> None:
    """The OpenAPI page names every status that a sync may answer, and the HTTP codes."""
    document = api.get("/openapi.json").json()
    answers = document["paths"]["/plaid/sync"]["post"]["responses"]
    assert {"200", "202", "404", "409", "422", "502"} <= answers.keys()
    statuses = document["components"]["schemas"]["SyncAnswer"]["properties"]["status"]["enum"]
    assert set(statuses) == {
        "synced",
        "up_to_date",
        "not_ready",
        "queued",
        "needs_relink",
        "failed",
    }

"""Update mode: the same Item, mended or widened by its person, whether or not their browser tells us."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.models import ApiKey, User
from bankloom.services import jobs, poll_sessions
from harness import WAIT_SECONDS, serving, wait_until
from link_scenes import (
    TOKEN_GET_PATH,
    item_of,
    linked_item,
    poll,
    repaired,
    session_of,
    through,
    update_mode,
)
from scenes import (
    EXCHANGE_PATH,
    SYNC_PATH,
    ask_plaid,
    background,
    bank_account,
    exchange,
    holding,
    never,
    person,
    query,
    states,
)

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from link_scenes import Linked
    from platypus_bank.testing import Running


def broken_item(api: Api, bank: Running) -> Linked:
    """Link a bank, and let its login break and the service notice."""
    linked = linked_item(api, bank)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=linked.access_token)
    assert api.sync(linked.item_id)["status"] == "needs_relink"
    assert item_of(api, linked.item_id)["error_code"] == "ITEM_LOGIN_REQUIRED"
    return linked


def look_soon(runtime: Runtime) -> None:
    """Let the worker ask about the open sessions now, not at its next turn."""
    query(runtime, "UPDATE link_sessions SET poll_at = now() WHERE poll_at IS NOT NULL")
    with runtime.database.session() as session:
        jobs.turn_later(session, jobs.EXCHANGES_QUEUE)


def test_a_repaired_item_syncs_again(api: Api, runtime: Runtime, bank: Running) -> None:
    """After update mode one call makes the Item well: a run that asked Plaid, and no exchange."""
    item_id, access_token, _ = broken_item(api, bank)
    opened = update_mode(api, item_id)
    assert session_of(api, opened)["state"] == "open"
    through(bank, opened)
    bank.control.changes(item_id, added=[{"amount": 7}])
    bank.control.forget_calls()
    answer = repaired(api, item_id, link_session_id=opened["link_session_id"])
    assert (answer.status_code, answer.json()["status"]) == (200, "synced")
    assert answer.json()["state"] == query(runtime, "SELECT state FROM items")[0].state
    assert api.get(answer.json()["run_url"]).json()["trigger"] == "repair"
    assert item_of(api, item_id)["error_code"] is None
    paths = [call["path"] for call in bank.control.calls()]
    assert "/item/get" in paths
    assert EXCHANGE_PATH not in paths
    (item,) = query(runtime, "SELECT * FROM items")
    assert item.repaired_at is not None
    assert runtime.keyring.open(item.access_token_sealed, item_id) == access_token
    shown = session_of(api, opened)
    assert (shown["state"], shown["purpose"], shown["item_id"]) == ("finished", "repair", item_id)


def test_update_mode_is_asked_for_as_plaid_demands(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """The Item's own token, no products; accounts and consent where they are the reason."""
    linked = linked_item(api, bank)
    bank.control.forget_calls()
    opened = update_mode(api, linked.item_id)
    assert set(opened) == {"link_token", "expiration", "hosted_link_url", "link_session_id"}
    assert opened["hosted_link_url"] is None
    metadata = ask_plaid(bank, TOKEN_GET_PATH, link_token=opened["link_token"])["metadata"]
    assert metadata["initial_products"] == []
    (row,) = query(runtime, "SELECT * FROM link_sessions WHERE purpose = 'repair'")
    assert opened["link_token"] not in (row.link_token_sealed, row.link_token_hash)
    assert row.poll_at is not None
    assert 25 * 60 < (row.expires_at - row.created_at).total_seconds() <= 31 * 60


def test_accounts_that_are_added_appear(api: Api, runtime: Runtime, bank: Running) -> None:
    """What the person shares in update mode is listed after it; the Item stays the same."""
    login = person(bank_account(mask="0001"), bank_account("Savings", "0002"))
    linked = linked_item(api, bank, accounts=["0001"], **login)
    query(runtime, "UPDATE items SET new_accounts_at = now()")
    assert [account["mask"] for account in api.accounts()] == ["0001"]
    opened = update_mode(api, linked.item_id, "accounts")
    through(bank, opened, accounts=["0001", "0002"], **login)
    assert repaired(api, linked.item_id).status_code == 200
    assert sorted(account["mask"] for account in api.accounts()) == ["0001", "0002"]
    assert list(states(api)) == [linked.item_id]
    assert query(runtime, "SELECT new_accounts_at FROM items") == [(None,)]
    assert session_of(api, opened)["state"] == "finished"


def test_a_product_that_is_consented_to_later_syncs(api: Api, bank: Running) -> None:
    """A tag in want of consent is tried after update mode, and syncs; a new product gets a tag."""
    linked = linked_item(api, bank, ["liabilities"], **person(bank_account(transactions=[])))
    bank.control.changes(linked.item_id, added=[{"amount": 5}])
    assert exchange(api, linked.public_token).status_code == 200
    assert states(api)[linked.item_id]["transactions"] == "consent needed"
    assert api.sync(linked.item_id)["error"]["code"] == "ADDITIONAL_CONSENT_REQUIRED"
    opened = update_mode(api, linked.item_id, "products", products=["transactions", "identity"])
    through(bank, opened)
    answer = repaired(api, linked.item_id)
    assert (answer.status_code, answer.json()["status"]) == (200, "synced"), answer.text
    assert states(api)[linked.item_id]["transactions"] == "ready"
    assert states(api)[linked.item_id].keys() == {"transactions", "liabilities", "identity"}
    assert item_of(api, linked.item_id)["error_code"] is None


def test_a_closed_tab_is_noticed(api: Api, runtime: Runtime, bank: Running) -> None:
    """Where the app never says that the person is back, the worker finds out, and mends the Item once."""
    linked = broken_item(api, bank)
    query(runtime, "UPDATE items SET disconnect_at = now(), disconnect_reason = 'MIGRATION'")
    opened = update_mode(api, linked.item_id)
    through(bank, opened)
    look_soon(runtime)
    wait_until(lambda: item_of(api, linked.item_id)["error_code"] is None)
    assert session_of(api, opened)["state"] == "finished"
    assert query(runtime, "SELECT disconnect_at FROM items") == [(None,)]
    asked = len(bank.control.calls(TOKEN_GET_PATH))
    poll(runtime)
    assert len(bank.control.calls(TOKEN_GET_PATH)) == asked
    repairs = query(runtime, "SELECT 1 FROM sync_runs WHERE trigger = 'repair'")
    assert len(repairs) == 1
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_the_app_and_the_poll_may_both_notice(api: Api, runtime: Runtime, bank: Running) -> None:
    """A poll that is under way when the app says that the person is back repairs nothing twice."""
    linked = broken_item(api, bank)
    opened = update_mode(api, linked.item_id)
    through(bank, opened)
    with holding(bank, TOKEN_GET_PATH) as hold, background() as start:
        polling = start(poll, runtime)
        hold.reached()
        assert repaired(api, linked.item_id).status_code == 200
        hold.release()
        polling.result()
    repairs = query(runtime, "SELECT 1 FROM sync_runs WHERE trigger = 'repair'")
    assert len(repairs) == 1


def test_who_leaves_may_come_back(api: Api, runtime: Runtime, bank: Running) -> None:
    """One who left is seen to have left, changes nothing, and is noticed when they come through after all."""
    linked = broken_item(api, bank)
    opened = update_mode(api, linked.item_id)
    bank.control.exit_link(opened["link_token"])
    poll(runtime)
    assert session_of(api, opened)["state"] == "exited"
    assert item_of(api, linked.item_id)["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert query(runtime, "SELECT 1 FROM sync_runs WHERE trigger = 'repair'") == []
    through(bank, opened)
    poll(runtime)
    assert session_of(api, opened)["state"] == "finished"
    wait_until(lambda: item_of(api, linked.item_id)["error_code"] is None)


@pytest.mark.parametrize("left", [True, False])
def test_an_expired_session_is_asked_about_no_more(
    api: Api, runtime: Runtime, bank: Running, *, left: bool
) -> None:
    """Once the link token has expired and nobody is in Link, Plaid is asked a last time."""
    opened = update_mode(api, linked_item(api, bank).item_id)
    if left:
        bank.control.exit_link(opened["link_token"])
    query(runtime, "UPDATE link_sessions SET expires_at = now() - interval '1 second'")
    bank.control.forget_calls()
    poll(runtime)
    poll(runtime)
    assert len(bank.control.calls(TOKEN_GET_PATH)) == 1
    assert session_of(api, opened)["state"] == ("exited" if left else "expired")


def test_a_session_that_plaid_has_forgotten(api: Api, runtime: Runtime, bank: Running) -> None:
    """Plaid's `INVALID_LINK_TOKEN` ends the polling; no other refusal, and no silence, does."""
    opened = update_mode(api, linked_item(api, bank).item_id)
    busy = {"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}
    gone = {"error_type": "INVALID_INPUT", "error_code": "INVALID_LINK_TOKEN"}
    for fault, goes_on in (
        ({"error": busy}, True),
        ({"drop": True}, True),
        ({"error": gone}, False),
    ):
        bank.control.fault(TOKEN_GET_PATH, **fault)
        poll(runtime)
        (row,) = query(runtime, "SELECT * FROM link_sessions WHERE purpose = 'repair'")
        assert (row.poll_at is not None) == goes_on
    assert session_of(api, opened)["state"] == "open"


def test_two_services_ask_once(settings: Settings, bank: Running) -> None:
    """The poll of a session is one service's, however many look at the same moment."""
    with (
        serving(settings, with_worker=False) as (api, one),
        serving(settings, with_worker=False) as (_, other),
        background() as start,
    ):
        new = exchange_one(api, bank)
        for _ in range(6):
            update_mode(api, new)
        bank.control.forget_calls()
        query(one, "UPDATE link_sessions SET poll_at = now() WHERE poll_at IS NOT NULL")
        with holding(bank, TOKEN_GET_PATH, times=0) as hold:
            polls = [start(poll_sessions.now, each, never) for each in (one, other)]
            hold.reached(6)
            nothing_else_is_due = start(poll_sessions.now, other, never)
            nothing_else_is_due.result(WAIT_SECONDS)
            hold.release()
            for each in polls:
                each.result()
        assert len(bank.control.calls(TOKEN_GET_PATH)) == 6


def exchange_one(api: Api, bank: Running) -> str:
    """Link an Item that no worker syncs."""
    token = through(bank, {"link_token": api.link_token()})
    item_id: str = exchange(api, token).json()["item_id"]
    return item_id


def test_a_public_token_of_update_mode_is_not_exchanged(api: Api, bank: Running) -> None:
    """An app that exchanges it all the same is told what to call instead, and Plaid is not asked."""
    linked = linked_item(api, bank)
    opened = update_mode(api, linked.item_id)
    token = through(bank, opened)
    bank.control.forget_calls()
    for named in ({}, {"user_id": "ada"}, {"link_token": opened["link_token"]}):
        refused = exchange(api, token, **named)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "unknown_public_token")
        assert error["item_id"] == linked.item_id
        assert f"/plaid/items/{linked.item_id}/repaired" in error["message"]
    assert bank.control.calls(EXCHANGE_PATH) == []


def test_its_link_token_alone_tells_that_it_is_update_mode(api: Api, bank: Running) -> None:
    """Who names it is refused before Plaid is asked, even about a token that Plaid does not show."""
    linked = linked_item(api, bank)
    opened = update_mode(api, linked.item_id)
    token = through(bank, opened)
    bank.control.forget_calls()
    bank.control.fault(TOKEN_GET_PATH, times=0, body='{"link_sessions": [], "request_id": "a"}')
    refused = exchange(api, token, link_token=opened["link_token"])
    assert refused.json()["error"]["item_id"] == linked.item_id
    assert bank.control.calls(TOKEN_GET_PATH) == bank.control.calls(EXCHANGE_PATH) == []


def test_repaired_without_a_session(api: Api, bank: Running) -> None:
    """Where the update mode was opened elsewhere, the word of the app is enough for a look."""
    linked = broken_item(api, bank)
    theirs = ask_plaid(
        bank,
        "/link/token/create",
        client_name="Another",
        language="en",
        country_codes=["US"],
        user={"client_user_id": "1"},
        access_token=linked.access_token,
    )
    assert repaired(api, linked.item_id).json()["status"] == "needs_relink"
    through(bank, theirs)
    assert repaired(api, linked.item_id).json()["status"] == "up_to_date"
    assert repaired(api, linked.item_id, wait=False).status_code == 202
    with_no_body = api.client.post(f"/plaid/items/{linked.item_id}/repaired")
    assert with_no_body.json()["status"] == "up_to_date"


def test_items_that_no_update_mode_repairs(api: Api, runtime: Runtime, bank: Running) -> None:
    """A known end is refused by us, one that only Plaid knows of is passed on."""
    linked = linked_item(api, bank)
    path = f"/plaid/items/{linked.item_id}/link-token"
    ask_plaid(bank, "/item/remove", access_token=linked.access_token)
    passed_on = api.post(path, reason="repair")
    assert passed_on.status_code == 502
    assert passed_on.json()["error"]["error_code"] == "ITEM_NOT_FOUND"
    assert api.sync(linked.item_id)["status"] == "needs_relink"
    bank.control.forget_calls()
    refused = api.post(path, reason="repair")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "item_gone")
    assert refused.json()["error"]["error_code"] == "ITEM_NOT_FOUND"
    assert bank.control.calls() == []
    query(runtime, "UPDATE items SET error_code = NULL, state = 'revoked'")
    assert api.post(path, reason="repair").json()["error"]["code"] == "item_gone"
    assert query(runtime, "SELECT 1 FROM link_sessions WHERE purpose <> 'link'") == []


def test_an_item_of_another_world(api: Api, runtime: Runtime, bank: Running) -> None:
    """Its token is not sent to this Plaid: 409, which names both worlds."""
    linked = linked_item(api, bank)
    query(runtime, "UPDATE items SET client_id = 'another'")
    bank.control.forget_calls()
    for door, body in (("link-token", {"reason": "repair"}), ("repaired", {})):
        refused = api.post(f"/plaid/items/{linked.item_id}/{door}", **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "world_mismatch")
    assert bank.control.calls() == []


def test_whose_item_it_is(api: Api, runtime: Runtime, bank: Running) -> None:
    """A person's key opens update mode of their own Items only, and sees no other's sessions."""
    theirs = linked_item(api, bank, user="grace").item_id
    opened = update_mode(api, theirs)
    with runtime.database.session() as session:
        ada = User.get_or_create(session, "ada").id
        key = ApiKey.create(session, "ada's app", ada).text
    bound = type(api)(api.url, key)
    session_path = f"/plaid/link-sessions/{opened['link_session_id']}"
    with bound.client:
        own = linked_item(api, bank, user="ada").item_id
        for item_id in (theirs, "unknown"):
            path = f"/plaid/items/{item_id}"
            assert bound.post(f"{path}/link-token", reason="repair").status_code == 404
            assert bound.post(f"{path}/repaired").status_code == 404
        assert bound.get(session_path).status_code == 404
        assert bound.post(f"{session_path}/duplicates", decision="discard").status_code == 404
        update_mode(bound, own)
        listed = bound.get("/plaid/link-sessions").json()
        assert {each["user_id"] for each in listed} == {"ada"}
    assert repaired(api, own, link_session_id=opened["link_session_id"]).status_code == 404
    assert repaired(api, own, link_session_id=str(uuid.uuid4())).status_code == 404


def test_sessions_are_listed(api: Api, runtime: Runtime, bank: Running) -> None:
    """The newest on top, by person and by how they stand; several people need a name."""
    linked = linked_item(api, bank)
    opened = update_mode(api, linked.item_id)
    first, last = reversed(api.get("/plaid/link-sessions").json())
    assert (first["purpose"], first["state"], first["linked_item_ids"]) == (
        "link",
        "finished",
        [linked.item_id],
    )
    assert first["finished_at"] is not None
    assert last == session_of(api, opened)
    api.link_token("grace")
    assert api.get("/plaid/link-sessions").status_code == 422

    def listed(**filters: Any) -> list[tuple[str, str]]:
        answer = api.get("/plaid/link-sessions", **filters)
        return [(each["user_id"], each["state"]) for each in answer.json()]

    assert listed(user_id="grace") == [("grace", "open")]
    assert listed(user_id="*", state="open") == [("grace", "open"), ("ada", "open")]
    assert listed(user_id="*", limit=1) == [("grace", "open")]
    query(runtime, "UPDATE link_sessions SET expires_at = now() WHERE purpose = 'link'")
    assert listed(user_id="*", state="expired") == [("grace", "expired")]


BAD_UPDATES: list[tuple[dict[str, Any], str]] = [
    ({}, "invalid_request"),
    ({"reason": "link"}, "invalid_request"),
    ({"reason": None}, "invalid_request"),
    ({"reason": ["repair"]}, "invalid_request"),
    ({"reason": "repair", "hosted": "yes"}, "invalid_request"),
    ({"reason": "repair", "surprise": 1}, "invalid_request"),
    ({"reason": "repair", "products": ["transactions"]}, "invalid_request"),
    ({"reason": "products", "products": "transactions"}, "invalid_request"),
    ({"reason": "products", "products": ["x"] * 33}, "invalid_request"),
    ({"reason": "products"}, "invalid_products"),
    ({"reason": "products", "products": []}, "invalid_products"),
    ({"reason": "products", "products": ["balance"]}, "invalid_products"),
    ({"reason": "products", "products": ["auth", "auth"]}, "invalid_products"),
]


def test_bad_input_is_refused(api: Api, bank: Running) -> None:
    """Bodies and ids of another shape are refused by name before Plaid is asked."""
    item_id = linked_item(api, bank).item_id
    bank.control.forget_calls()
    for body, code in BAD_UPDATES:
        answer = api.post(f"/plaid/items/{item_id}/link-token", **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code), body
    for body in ({"wait": "no"}, {"link_session_id": "x"}, {"link_session_id": 1}, {"a": 1}):
        assert repaired(api, item_id, **body).status_code == 422
    assert api.post("/plaid/items/%00/link-token", reason="repair").status_code == 422
    assert api.get("/plaid/link-sessions/x").status_code == 422
    for path in (f"/plaid/link-sessions/{uuid.uuid4()}", "/plaid/link-sessions/x"):
        assert api.post(f"{path}/duplicates", decision="maybe").status_code == 422
    assert api.get(f"/plaid/link-sessions/{uuid.uuid4()}").status_code == 404
    for filters in ({"state": "done"}, {"limit": 0}, {"limit": 501}, {"surprise": "1"}):
        assert api.get("/plaid/link-sessions", **filters).status_code == 422
    assert bank.control.calls() == []


BRAND_NEW = {"error_type": "ITEM_ERROR", "error_code": "BRAND_NEW"}
NOT_SUPPORTED = {"error_type": "ITEM_ERROR", "error_code": "PRODUCTS_NOT_SUPPORTED"}


def test_what_needed_a_person_is_tried_after_they_came(api: Api, bank: Running) -> None:
    """A tag that no waiting mends starts over with `repaired`, and its rows come."""
    linked = linked_item(api, bank)
    bank.control.fault(SYNC_PATH, error=BRAND_NEW)
    assert api.sync(linked.item_id)["status"] == "failed"
    assert states(api)[linked.item_id] == {"transactions": "needs you"}
    bank.control.changes(linked.item_id, added=[{"amount": 5}])
    through(bank, update_mode(api, linked.item_id))
    told = repaired(api, linked.item_id).json()
    assert (told["status"], told["state"]) == ("synced", "healthy")


def test_a_product_that_was_not_supported_is_tried_after_consent(api: Api, bank: Running) -> None:
    """Whoever asks for it in update mode has a reason to."""
    linked = linked_item(api, bank)
    bank.control.fault(SYNC_PATH, error=NOT_SUPPORTED)
    assert api.sync(linked.item_id)["error"]["code"] == "PRODUCTS_NOT_SUPPORTED"
    bank.control.changes(linked.item_id, added=[{"amount": 5}])
    through(bank, update_mode(api, linked.item_id, "products", products=["transactions"]))
    assert repaired(api, linked.item_id).json()["status"] == "synced"
    assert states(api)[linked.item_id] == {"transactions": "ready"}


def test_repaired_too_early_takes_no_warning_back(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """An app that says so when the person has left does not make Plaid's announcement untrue."""
    linked = linked_item(api, bank)
    query(runtime, "UPDATE items SET disconnect_at = now() + interval '3 days'")
    opened = update_mode(api, linked.item_id)
    bank.control.exit_link(opened["link_token"])
    assert repaired(api, linked.item_id).status_code == 200
    (item,) = query(runtime, "SELECT disconnect_at, repaired_at FROM items")
    assert item.disconnect_at is not None
    assert item.repaired_at is None
    assert session_of(api, opened)["state"] != "finished"


def test_repaired_too_early_does_not_end_the_polling(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Who gets through afterwards, and closes the tab, is noticed all the same."""
    linked = broken_item(api, bank)
    opened = update_mode(api, linked.item_id)
    assert repaired(api, linked.item_id).json()["status"] == "needs_relink"
    bank.control.fault(TOKEN_GET_PATH, drop=True)  # nor does silence make it true
    assert repaired(api, linked.item_id).json()["status"] == "needs_relink"
    through(bank, opened)
    poll(runtime)
    wait_until(lambda: item_of(api, linked.item_id)["error_code"] is None)
    assert session_of(api, opened)["state"] == "finished"

"""Hosted Link: nobody calls us back, so what comes of it is exchanged by webhook or by polling, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.services import finish_exchanges, jobs, poll_sessions
from bankloom.services.webhooks import link_deliveries
from harness import serving, wait_until
from link_scenes import (
    TOKEN_GET_PATH,
    hosted_link,
    is_ready,
    item_of,
    linked_item,
    poll,
    session_of,
    stop_polling,
    through,
    update_mode,
)
from scenes import (
    EXCHANGE_PATH,
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
    from platypus_bank.testing import Running

ALL = ["transactions", "liabilities"]
NOTHING_SEEN: dict[str, Any] = {
    "link_token": "link-sandbox-x",
    "created_at": None,
    "expiration": None,
    "link_sessions": [],
    "metadata": {},
    "request_id": "abcdefghijklmno",
}


@pytest.fixture
def reachable(api: Api, runtime: Runtime) -> Api:
    """The service, once it knows how Plaid reaches it."""
    runtime.settings.public_url = api.url
    return api


def outcomes(runtime: Runtime) -> list[tuple[str, str, bool]]:
    """Return the Link deliveries: code, what was done, whether it is over."""
    rows = query(
        runtime,
        "SELECT * FROM webhook_deliveries WHERE webhook_type = 'LINK'"
        " AND webhook_code <> 'EVENTS' ORDER BY received_at, webhook_code",
    )
    return [(row.webhook_code, row.outcome, row.handled_at is not None) for row in rows]


def all_handled(runtime: Runtime, count: int) -> bool:
    """Say whether so many Link deliveries came and are over."""
    told = outcomes(runtime)
    return len(told) == count and all(is_over for *_, is_over in told)


def handle_again(runtime: Runtime) -> None:
    """Let the time come at which the deliveries that were put off are tried again, and try."""
    query(runtime, "UPDATE webhook_deliveries SET next_try_at = now() WHERE handled_at IS NULL")
    link_deliveries.now(runtime, never)


def age(runtime: Runtime, minutes: int) -> None:
    """Let the deliveries have come so long ago."""
    ago = "UPDATE webhook_deliveries SET received_at = now() - make_interval(mins => :minutes)"
    query(runtime, ago, minutes=minutes)


def finished(opened: dict[str, Any], *tokens: str, status: str = "SUCCESS") -> dict[str, Any]:
    """Return the body of the webhook that says that a session is over."""
    return {
        "webhook_type": "LINK",
        "webhook_code": "SESSION_FINISHED",
        "status": status,
        "link_session_id": "356dbb28-7f98-44d1-8e6d-0cec580f3171",
        "link_token": opened["link_token"],
        "public_tokens": list(tokens),
        "environment": "sandbox",
    }


def tell(api: Api, bank: Running, body: dict[str, Any]) -> None:
    """Let Plaid send the service a webhook."""
    bank.control.send_webhook(body, url=f"{api.url}/plaid/webhook")


def test_polling_alone_completes_it(api: Api, runtime: Runtime, bank: Running) -> None:
    """Without any webhook the Item is found, with every product asked for and its first sync."""
    opened = hosted_link(api, products=ALL)
    assert opened["hosted_link_url"].startswith(bank.url)
    poll(runtime)
    assert session_of(api, opened)["state"] == "open"
    through(bank, opened)
    query(runtime, "UPDATE link_sessions SET poll_at = now()")
    with runtime.database.session() as session:
        jobs.turn_later(session, jobs.EXCHANGES_QUEUE)  # the worker's own turn comes within 15 s
    (item_id,) = wait_until(lambda: list(states(api)))
    wait_until(lambda: is_ready(api, item_id))
    assert states(api)[item_id].keys() == set(ALL)
    wait_until(lambda: session_of(api, opened)["state"] == "finished")
    assert session_of(api, opened)["linked_item_ids"] == [item_id]
    assert item_of(api, item_id)["user_id"] == "ada"
    assert api.accounts()[0]["institution"] == "First Platypus Bank"
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_an_app_that_is_first_gets_its_product_too(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """Whoever exchanges a hosted session's token gets its tag beside the session's own."""
    stop_polling(runtime)
    opened = hosted_link(api, products=["transactions"])
    token = through(bank, opened)
    assert exchange(api, token, "auth", link_token=opened["link_token"]).status_code == 200
    ((_, tags),) = states(api).items()
    assert tags.keys() == {"transactions", "auth"}
    assert tags["auth"] == "consent needed"


def test_a_hosted_url_is_good_for_a_day(api: Api, runtime: Runtime) -> None:
    """Long enough for an e-mail; Plaid's own default is half an hour."""
    hosted_link(api)
    (row,) = query(runtime, "SELECT expires_at - created_at AS life FROM link_sessions")
    assert 23 * 3600 < row.life.total_seconds() <= 24 * 3600 + 60


def test_webhooks_alone_complete_it(reachable: Api, runtime: Runtime, bank: Running) -> None:
    """Without any poll, what Plaid tells of the session has it exchanged; a repeated word changes nothing."""
    opened = hosted_link(reachable, products=ALL)
    stop_polling(runtime)
    token = through(bank, opened)
    (item_id,) = wait_until(lambda: list(states(reachable)))
    wait_until(lambda: all_handled(runtime, 2))
    assert sorted(outcomes(runtime)) == [
        ("ITEM_ADD_RESULT", link_deliveries.EXCHANGED, True),
        ("SESSION_FINISHED", link_deliveries.EXCHANGED, True),
    ]
    assert states(reachable)[item_id].keys() == set(ALL)
    assert session_of(reachable, opened)["state"] == "finished"
    tell(reachable, bank, finished(opened, token))
    wait_until(lambda: all_handled(runtime, 3))
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    assert list(states(reachable)) == [item_id]


def test_everybody_at_once_exchanges_once(reachable: Api, runtime: Runtime, bank: Running) -> None:
    """Webhook, poll and app may all come at the same moment: the claim lets one of them spend."""
    bank.control.settings(exchange_mode="strict")
    opened = hosted_link(reachable, products=ALL)
    with holding(bank, TOKEN_GET_PATH, times=0) as look, background() as start:
        token = through(bank, opened)
        calls = [
            start(poll, runtime),
            start(link_deliveries.now, runtime, never),
            start(exchange, reachable, token),
            start(exchange, reachable, token, "liabilities"),
        ]
        look.reached(3)
        look.release()
        for call in calls:
            call.result()
    handle_again(runtime)
    poll(runtime)
    wait_until(lambda: all_handled(runtime, 2))
    wait_until(lambda: session_of(reachable, opened)["state"] == "finished")
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1
    assert [each.keys() for each in states(reachable).values()] == [set(ALL)]
    assert query(runtime, "SELECT state FROM exchange_claims") == [("done",)]


def test_two_services_exchange_once(settings: Settings, bank: Running) -> None:
    """Two services that poll at the same moment are no different from one."""
    bank.control.settings(exchange_mode="strict")
    with (
        serving(settings, with_worker=False) as (api, one),
        serving(settings, with_worker=False) as (_, other),
        background() as start,
    ):
        opened = hosted_link(api, products=ALL)
        through(bank, opened)
        with holding(bank, EXCHANGE_PATH) as hold:
            first = start(poll, one)
            hold.reached()
            poll(other)  # though the first has its lease: it is due again
            hold.release()
            first.result()
        assert len(bank.control.calls(EXCHANGE_PATH)) == 1
        poll(other)
        assert session_of(api, opened)["state"] == "finished"
        assert [each.keys() for each in states(api).values()] == [set(ALL)]


def test_who_leaves_a_hosted_link(reachable: Api, runtime: Runtime, bank: Running) -> None:
    """Leaving is told, changes nothing, and is not the end: the URL may be opened again."""
    opened = hosted_link(reachable)
    bank.control.exit_link(opened["link_token"])
    wait_until(lambda: all_handled(runtime, 1))
    assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.LEFT, True)]
    assert session_of(reachable, opened)["state"] == "exited"
    through(bank, opened)
    wait_until(lambda: session_of(reachable, opened)["state"] == "finished")
    assert len(states(reachable)) == 1


def test_hosted_update_mode_by_webhook(reachable: Api, runtime: Runtime, bank: Running) -> None:
    """It mends the Item and exchanges nothing."""
    linked = linked_item(reachable, bank)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=linked.access_token)
    assert reachable.sync(linked.item_id)["status"] == "needs_relink"
    opened = update_mode(reachable, linked.item_id, hosted=True)
    assert opened["hosted_link_url"].startswith(bank.url)
    stop_polling(runtime)
    through(bank, opened)
    wait_until(lambda: item_of(reachable, linked.item_id)["error_code"] is None)
    wait_until(lambda: all_handled(runtime, 1))
    assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.REPAIRED, True)]
    assert session_of(reachable, opened)["state"] == "finished"
    assert len(bank.control.calls(EXCHANGE_PATH)) == 1


def test_deliveries_that_are_not_ours_to_act_on(api: Api, runtime: Runtime, bank: Running) -> None:
    """Unknown sessions, and those whose app exchanges, are stored with the reason and left alone."""
    unknown = {"link_token": "link-sandbox-00000000-0000-0000-0000-000000000000"}
    ordinary = {"link_token": api.link_token()}
    token = through(bank, ordinary)
    bank.control.forget_calls()
    tell(api, bank, finished(unknown, token))
    wait_until(lambda: all_handled(runtime, 1))
    tell(api, bank, finished(ordinary, token))
    wait_until(lambda: all_handled(runtime, 2))
    assert [what for _, what, _ in outcomes(runtime)] == [
        link_deliveries.NOT_OURS,
        link_deliveries.BY_APP,
    ]
    assert [call["path"] for call in bank.control.calls() if "token" in call["path"]] == []
    assert exchange(api, token).status_code == 200


def test_a_silent_plaid_is_asked_again(settings: Settings, bank: Running) -> None:
    """A delivery that Plaid gives no answer to is put off, longer each time, and done in the end."""
    with serving(settings, with_worker=False) as (api, runtime):
        opened = hosted_link(api)
        token = through(bank, opened)
        tell(api, bank, finished(opened, token))
        wait_until(lambda: len(outcomes(runtime)) == 1)
        waits = []
        for fault in ({"path": TOKEN_GET_PATH}, {"path": EXCHANGE_PATH}):
            bank.control.fault(fault["path"], drop=True)
            handle_again(runtime)
            (row,) = query(runtime, "SELECT next_try_at - now() AS wait FROM webhook_deliveries")
            waits.append(row.wait.total_seconds())
            assert states(api) == {}
        assert 0 < waits[0] < 6 < waits[1] < 11
        assert not all_handled(runtime, 1)
        handle_again(runtime)
        assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.EXCHANGED, True)]
        assert len(states(api)) == 1


def test_after_half_an_hour_it_is_lost(settings: Settings, bank: Running) -> None:
    """A public token that could not be exchanged in its time is given up, and that is written down."""
    with serving(settings, with_worker=False) as (api, runtime):
        opened = hosted_link(api)
        token = through(bank, opened)
        tell(api, bank, finished(opened, token))
        wait_until(lambda: len(outcomes(runtime)) == 1)
        age(runtime, 31)
        bank.control.forget_calls()
        handle_again(runtime)
        assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.LOST, True)]
        bank.control.advance(31 * 60)
        poll(runtime)
        assert session_of(api, opened)["state"] == "lost"
        assert api.get("/plaid/link-sessions", state="finished").json() == []
        assert (states(api), session_of(api, opened)["linked_item_ids"]) == ({}, [])
        query(runtime, "UPDATE webhook_deliveries SET handled_at = NULL, next_try_at = now()")
        query(runtime, "UPDATE link_sessions SET finished_at = now() - interval '31 minutes'")
        link_deliveries.now(runtime, never)
        assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.LOST, True)]


def test_a_session_of_which_a_part_is_lost(settings: Settings, bank: Running) -> None:
    """Where one of its public tokens was exchanged, or is held or discarded, it is no lost one."""
    with serving(settings, with_worker=False) as (api, runtime):
        opened = hosted_link(api)
        for mask in ("0001", "0002"):
            through(bank, opened, **person(bank_account(mask=mask)))
        void = {"error_type": "INVALID_INPUT", "error_code": "INVALID_PUBLIC_TOKEN"}
        bank.control.fault(EXCHANGE_PATH, error=void)
        poll(runtime)
        assert session_of(api, opened)["state"] == "finished"
        assert len(session_of(api, opened)["linked_item_ids"]) == 1


@pytest.mark.parametrize("kind", ["new Item", "update mode"])
def test_a_webhook_that_is_ahead_of_plaids_answer(
    settings: Settings, bank: Running, kind: str
) -> None:
    """What `/link/token/get` does not show yet is waited for, and taken on trust after two minutes."""
    with serving(settings, with_worker=False) as (api, runtime):
        if kind == "new Item":
            opened = hosted_link(api, products=ALL)
        else:
            opened = update_mode(api, exchange_one(api, bank))
        token = through(bank, opened)
        bank.control.forget_calls()
        bank.control.fault(TOKEN_GET_PATH, body=json.dumps(NOTHING_SEEN), times=0)
        tell(api, bank, finished(opened, token))
        wait_until(lambda: len(outcomes(runtime)) == 1)
        handle_again(runtime)
        assert outcomes(runtime) == [("SESSION_FINISHED", link_deliveries.NOT_SHOWN, False)]
        assert bank.control.calls(EXCHANGE_PATH) == []
        age(runtime, 3)
        handle_again(runtime)
        if kind == "new Item":
            assert [what for _, what, _ in outcomes(runtime)] == [link_deliveries.EXCHANGED]
            assert [each.keys() for each in states(api).values()] == [set(ALL)]
        else:
            assert [what for _, what, _ in outcomes(runtime)] == [link_deliveries.REPAIRED]
            assert session_of(api, opened)["state"] == "finished"
            assert bank.control.calls(EXCHANGE_PATH) == []


def exchange_one(api: Api, bank: Running) -> str:
    """Link an Item that no worker syncs."""
    token = through(bank, {"link_token": api.link_token()})
    item_id: str = exchange(api, token).json()["item_id"]
    return item_id


def test_an_exchange_that_was_cut_off_covers_every_product(
    settings: Settings, bank: Running
) -> None:
    """What is left of a hosted exchange whose answer was lost is finished with all its products."""
    with serving(settings, with_worker=False) as (api, runtime):
        opened = hosted_link(api, products=ALL)
        through(bank, opened)
        bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
        poll(runtime)
        assert states(api) == {}
        finish_exchanges.now(runtime, never)
        assert [each.keys() for each in states(api).values()] == [set(ALL)]
        poll(runtime)
        assert session_of(api, opened)["state"] == "finished"
        assert len(states(api)) == 1


def test_a_hanging_plaid_holds_no_more_than_a_round(
    settings: Settings, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Plaid does not answer, the turn ends, and the sessions are due again later."""
    monkeypatch.setattr(poll_sessions, "ASKED_AT_ONCE", 2)
    with serving(settings, with_worker=False) as (api, runtime):
        for number in range(5):
            hosted_link(api, f"person {number}")
        bank.control.forget_calls()
        bank.control.fault(TOKEN_GET_PATH, drop=True, times=0)
        poll(runtime)
        assert len(bank.control.calls(TOKEN_GET_PATH)) == 2
        waiting = query(runtime, "SELECT 1 FROM link_sessions WHERE poll_at > now()")
        assert len(waiting) == 2
        bank.control.clear_faults()
        poll_sessions.now(runtime, never)
        assert len(bank.control.calls(TOKEN_GET_PATH)) == 5

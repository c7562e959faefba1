"""Runs cancelled by hand: a queued one never begins, a running one changes nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bankloom.services import cancel_run
from harness import serving, wait_until
from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    background,
    holding,
    linked,
    query,
    stored,
)
from workers import ask_for_run, runs, settle, store_item

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

WAIT = "SELECT extract(epoch FROM next_try_at - now()) AS seconds FROM item_products"


def cancel(api: Api, run_id: str) -> dict[str, Any]:
    answer = api.client.post(f"/plaid/runs/{run_id}/cancel")
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


def test_a_running_one_changes_nothing_any_more(api: Api, runtime: Runtime, bank: Running) -> None:
    """Its worker discards what it pulled, asks for no successor, and the schedule goes on."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    known = len(runs(runtime, item_id))
    with holding(bank, SYNC_PATH) as hold, background() as start:
        waiting = start(api.post, "/plaid/sync", item_id=item_id)
        hold.reached()
        (run,) = api.get("/plaid/runs", status="running").json()["runs"]
        told = cancel(api, run["run_id"])
        assert (told["status"], told["error"]["code"]) == ("cancelled", "cancelled")
        assert told["duration_seconds"] > 0
        answer = waiting.result()
        assert (answer.status_code, answer.json()["status"]) == (502, "failed")
        assert answer.json()["error"]["code"] == "cancelled"
    settle(runtime)
    assert runs(runtime, item_id)[known:] == ["cancelled"]
    assert stored(api) == {}
    ((seconds,),) = query(runtime, WAIT)
    assert seconds > 3600
    assert api.sync(item_id)["status"] == "synced"
    assert_equals_ledger(api, bank, item_id)


def test_a_queued_one_never_begins(api: Api, runtime: Runtime, bank: Running) -> None:
    """The run before it goes on undisturbed, and the tags wait for their schedule."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    known = len(runs(runtime, item_id))
    bank.control.forget_calls()
    with holding(bank, SYNC_PATH) as hold, background() as start:
        first = start(api.sync, item_id)
        hold.reached()
        queued = api.sync(item_id, wait=False)["run_id"]
        told = cancel(api, queued)
        assert (told["run_id"], told["status"], told["started_at"]) == (queued, "cancelled", None)
        hold.release()
        assert first.result()["status"] == "synced"
    settle(runtime)
    assert runs(runtime, item_id)[known:] == ["synced", "cancelled"]
    assert len(bank.control.calls(SYNC_PATH)) == 1
    ((seconds,),) = query(runtime, WAIT)
    assert seconds > 3600
    assert_equals_ledger(api, bank, item_id)


def test_what_was_asked_for_meanwhile_stands(api: Api, runtime: Runtime, bank: Running) -> None:
    """To cancel the running one leaves the queued one, which does the work."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    known = len(runs(runtime, item_id))
    with holding(bank, SYNC_PATH) as hold:
        running = api.sync(item_id, wait=False)["run_id"]
        hold.reached()
        queued = api.sync(item_id, wait=False)["run_id"]
        assert cancel(api, running)["status"] == "cancelled"
    wait_until(lambda: api.get(f"/plaid/runs/{queued}").json()["status"] == "synced")
    settle(runtime)
    assert runs(runtime, item_id)[known:] == ["cancelled", "synced"]
    assert_equals_ledger(api, bank, item_id)


def test_all_of_an_item_are_cancelled_at_once(api: Api, runtime: Runtime, bank: Running) -> None:
    """By the Item's name both go, the running and the queued one."""
    item_id = linked(api, bank)
    known = len(runs(runtime, item_id))
    with holding(bank, SYNC_PATH) as hold:
        api.sync(item_id, wait=False)
        hold.reached()
        api.sync(item_id, wait=False)
        assert [each.was for each in cancel_run.now(runtime, item_id)] == ["running", "queued"]
    settle(runtime)
    assert runs(runtime, item_id)[known:] == ["cancelled", "cancelled"]
    ((seconds,),) = query(runtime, WAIT)
    assert seconds > 3600


def test_what_has_ended_stays_as_it_is(api: Api, runtime: Runtime, bank: Running) -> None:
    """To cancel a run that has ended is no error and changes nothing."""
    item_id = linked(api, bank)
    ended = api.sync(item_id)["run_id"]
    before = (
        query(runtime, "SELECT * FROM sync_runs"),
        query(runtime, "SELECT * FROM item_products"),
    )
    assert cancel(api, ended)["status"] == "up_to_date"
    assert cancel_run.now(runtime, item_id) == []
    assert cancel_run.now(runtime, "unknown") == []
    after = query(runtime, "SELECT * FROM sync_runs"), query(runtime, "SELECT * FROM item_products")
    assert after == before


def test_what_waits_for_its_item_to_cool_is_cancelled_too(
    settings: Settings, bank: Running
) -> None:
    """A run that is put off by a limit of Plaid's goes, and with it what it was to do then."""
    with serving(settings, with_worker=False) as (_, runtime):
        item_id = store_item(runtime, bank)
        ask_for_run(runtime, item_id)
        query(runtime, "UPDATE items SET cooling_until = now() + interval '1 hour'")
        query(runtime, "UPDATE item_products SET next_try_at = now() + interval '59 minutes'")
        assert [each.was for each in cancel_run.now(runtime, item_id)] == ["queued"]
        ((seconds,),) = query(runtime, WAIT)
        assert seconds > 2 * 3600


def test_what_waits_for_a_person_gets_no_schedule(settings: Settings, bank: Running) -> None:
    """Their sync is cancelled before it began: the tag waits for them again."""
    with serving(settings, with_worker=False) as (api, runtime):
        item_id = store_item(runtime, bank)
        query(runtime, "UPDATE item_products SET state = 'needs you', next_try_at = NULL")
        asked = api.post("/plaid/sync", item_id=item_id, wait=False).json()
        assert query(runtime, "SELECT next_try_at FROM item_products")[0].next_try_at is not None
        cancel(api, asked["run_id"])
        assert query(runtime, "SELECT next_try_at FROM item_products") == [(None,)]

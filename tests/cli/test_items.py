"""`bankloom items` and `bankloom jobs` beside a running service: what they show, ask and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands import bankloom
from harness import ServiceProcess, environment_for, serving, settings_for, wait_until
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
from workers import runs, settle, store_item

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

NEW_KIND = {"error_type": "ITEM_ERROR", "error_code": "BRAND_NEW"}


@pytest.fixture
def beside(settings: Settings) -> dict[str, str]:
    """The environment of a command beside the service of this test."""
    return environment_for(settings)


def well(ended: CompletedProcess[str]) -> str:
    """Return what a command said that went well, without an error or a warning."""
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_the_list_marks_what_needs_a_person(
    api: Api, bank: Running, beside: dict[str, str]
) -> None:
    """A row an Item, narrowed by person and state; a broken login stands out and says what to do."""
    fine = linked(api, bank, "ada")
    new = newcomer(api, bank, "bob", **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    api.sync(new.item_id)
    lines = well(bankloom(beside, "items", "list")).splitlines()
    (row,) = (line for line in lines if fine in line)
    assert "!" not in row
    (row,) = (line for line in lines if new.item_id in line)
    assert "! " in row
    assert "ITEM_LOGIN_REQUIRED" in row
    only = well(bankloom(beside, "items", "list", "--user", "ada"))
    assert fine in only
    assert new.item_id not in only
    states = bankloom(beside, "items", "list", "--state", "revoked", "--state", "removed")
    assert "no such Items" in well(states)
    shown = well(bankloom(beside, "items", "show", new.item_id))
    (item,) = api.get("/plaid/items", user_id="bob").json()
    for told in ("bob", item["last_error"]["request_id"], "update mode", "nowhere: it is polled"):
        assert told in shown
    assert token not in shown


def test_a_sync_is_asked_for_and_waited_for(
    api: Api, runtime: Runtime, bank: Running, beside: dict[str, str]
) -> None:
    """With --wait the command tells how the run ended, and ends with code 1 where it failed."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    assert "synced: 1 added" in well(bankloom(beside, "items", "sync", item_id, "--wait"))
    assert_equals_ledger(api, bank, item_id)
    bank.control.fault(SYNC_PATH, error=NEW_KIND)
    failed = bankloom(beside, "items", "sync", item_id, "--wait")
    assert failed.returncode == 1
    assert "failed: BRAND_NEW" in failed.stdout
    asked = well(bankloom(beside, "items", "sync", item_id))
    settle(runtime)
    assert api.get("/plaid/runs").json()["runs"][0]["run_id"] in asked
    assert runs(runtime, item_id)[-1] == "up_to_date"


def test_a_refresh_is_not_asked_for_unagreed(
    api: Api, bank: Running, beside: dict[str, str]
) -> None:
    """It costs money: it wants a yes, and says what the bill is for."""
    item_id = linked(api, bank)
    asked = bankloom(beside, "items", "refresh", item_id)
    assert asked.returncode == 1
    assert "bills each refresh" in asked.stdout
    assert bank.control.calls("/transactions/refresh") == []
    assert "Asked" in well(bankloom(beside, "items", "refresh", item_id, "--yes"))
    (call,) = bank.control.calls("/transactions/refresh")
    assert call["item_id"] == item_id


def test_what_failed_for_good_is_tried_again_by_hand(
    api: Api, runtime: Runtime, bank: Running, beside: dict[str, str]
) -> None:
    """A permanent failure needs you, with the reason; retry makes it due, by name or all of them."""
    item_id = linked(api, bank)
    assert "Nothing needs you" in well(bankloom(beside, "jobs", "list", "--needs-you"))
    for again in (item_id, "--all"):
        bank.control.fault(SYNC_PATH, error=NEW_KIND)
        run_id = api.sync(item_id)["run_id"]
        listed = well(bankloom(beside, "jobs", "list", "--needs-you"))
        (row,) = (line for line in listed.splitlines() if item_id in line)
        assert "transactions: BRAND_NEW" in row
        assert "No waiting mends this" in row
        well(bankloom(beside, "jobs", "retry", again))
        wait_until(lambda: tags(runtime) == {"transactions": "ready"})
        settle(runtime)
    bank.control.fault(SYNC_PATH, error=NEW_KIND)
    api.sync(item_id)
    assert item_id in well(bankloom(beside, "jobs", "retry", run_id))
    wait_until(lambda: tags(runtime) == {"transactions": "ready"})


def test_runs_are_shown_and_cancelled(
    api: Api, runtime: Runtime, bank: Running, beside: dict[str, str]
) -> None:
    """What runs and what is queued is listed with ids, by which they are cancelled; all is well after."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    assert item_id in well(bankloom(beside, "jobs", "list"))
    with holding(bank, SYNC_PATH) as hold:
        running = api.sync(item_id, wait=False)["run_id"]
        hold.reached()
        queued = api.sync(item_id, wait=False)["run_id"]
        listed = well(bankloom(beside, "jobs", "list"))
        assert listed.index("Running") < listed.index(running) < listed.index("Queued")
        assert listed.index("Queued") < listed.index(queued)
        assert f"{queued}; it was queued" in well(bankloom(beside, "jobs", "cancel", queued))
        assert f"{running}; it was running" in well(bankloom(beside, "jobs", "cancel", item_id))
    settle(runtime)
    assert runs(runtime, item_id)[-2:] == ["cancelled", "cancelled"]
    assert "Nothing to cancel" in well(bankloom(beside, "jobs", "cancel", item_id))
    assert api.sync(item_id)["status"] == "synced"
    assert_equals_ledger(api, bank, item_id)


def test_names_that_are_none_are_one_sentence(api: Api, beside: dict[str, str]) -> None:
    """Unknown Items and runs end with code 1, misuse with code 2; nothing is changed."""
    assert api.get("/plaid/items").json() == []
    unknown = "00000000-0000-0000-0000-000000000000"
    one_sentence: list[tuple[str, ...]] = [
        ("items", "show", "x"),
        ("items", "sync", "x"),
        ("jobs", "cancel", unknown),
    ]
    for arguments in one_sentence:
        ended = bankloom(beside, *arguments)
        assert ended.returncode == 1
        assert ended.stderr.startswith("bankloom: There is no ")
        assert ended.stderr.count("\n") == 1
    for arguments in (("jobs", "retry"), ("items", "list", "--state", "x")):
        ended = bankloom(beside, *arguments)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr


def test_without_a_worker_a_sync_says_so(
    settings: Settings, bank: Running, beside: dict[str, str]
) -> None:
    """A run that nobody would take up is announced as such; one that has to wait is not waited for."""
    with serving(settings, with_worker=False) as (_, runtime):
        item_id = store_item(runtime, bank)
        asked = bankloom(beside, "items", "sync", item_id)
        assert asked.returncode == 0
        assert "No worker runs" in asked.stderr
        query(runtime, "UPDATE items SET cooling_until = '2030-01-02T03:04:05Z'")
        waited = bankloom(beside, "items", "sync", item_id, "--wait")
        assert waited.returncode == 1
        assert "not asked about this Item until 2030-01-02 03:04:05Z" in waited.stdout
        assert runs(runtime, item_id) == ["queued"]


def test_everything_that_waits_is_in_the_list(
    settings: Settings, bank: Running, beside: dict[str, str]
) -> None:
    """Tags by their time, deliveries not handled, exchanges open, held and lost, each where it stands."""
    with serving(settings, with_worker=False) as (_, runtime):
        item_id = store_item(runtime, bank)
        query(
            runtime,
            "UPDATE item_products SET next_try_at = '2030-01-02T03:04:05Z', state = 'failing',"
            " error_code = 'INSTITUTION_DOWN', failures = 7",
        )
        query(
            runtime,
            "INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type,"
            " webhook_code, body_sealed) VALUES ('h', 'k', now(), now(), 'TRANSACTIONS',"
            " 'SYNC_UPDATES_AVAILABLE', :body)",
            body=runtime.keyring.seal("{}", "h"),
        )
        for number, state in enumerate(("claimed", "held", "possible orphan", "done")):
            query(
                runtime,
                "INSERT INTO exchange_claims (public_token_hash, user_id, world, product,"
                " lease_until, state) SELECT :hash, id, 'w', 'transactions', now(), :state"
                " FROM users",
                hash=f"hash-of-{number}-and-more",
                state=state,
            )
        listed = well(bankloom(beside, "jobs", "list"))
        urgent, _, waiting = listed.partition("Waiting")
        assert "INSTITUTION_DOWN (failures: 7)" in waiting
        assert "2030-01-02 03:04:05Z" in waiting
        assert "webhook TRANSACTIONS/SYNC_UPDATES_AVAILABLE" in waiting
        assert "hash-of-0-an" in waiting
        assert "exchange: held" in urgent
        assert "exchange: possible orphan" in urgent
        assert "hash-of-3" not in listed
        needs_you = well(bankloom(beside, "jobs", "list", "--needs-you"))
        assert "Waiting" not in needs_you
        assert "hash-of-2-an" in needs_you
        query(runtime, "UPDATE items SET state = 'needs re-link', error_code = NULL")
        needs_you = well(bankloom(beside, "jobs", "list", "--needs-you"))
        (row,) = (line for line in needs_you.splitlines() if item_id in line)
        assert "reason repair" in row


def test_the_embedded_database_is_shared_and_left(bank: Running, reachable_dir: Path) -> None:
    """A command works beside a service on one data folder, and alone, and then leaves no server."""
    settings = settings_for(bank.url, "", reachable_dir / "data")
    environment = environment_for(settings)
    service = ServiceProcess(environment)
    item_id = linked(service.api, bank)
    assert item_id in well(bankloom(environment, "items", "list"))
    assert "up_to_date" in well(bankloom(environment, "items", "sync", item_id, "--wait"))
    assert service.stop() == 0
    shown = well(bankloom(environment, "items", "show", item_id))
    assert "First Platypus Bank" in shown
    assert list((reachable_dir / "data").rglob("postmaster.pid")) == []

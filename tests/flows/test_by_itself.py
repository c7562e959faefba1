"""It stays in sync by itself: the bank's webhooks alone bring everything, over real HTTP both ways."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harness import serving, wait_until
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
    stored,
)
from workers import runs, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ROWS = "SELECT webhook_code, outcome, handled_at IS NOT NULL AS handled FROM webhook_deliveries"


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service, which the bank sends webhooks to."""
    with serving(settings, gets_webhooks=True) as running_service:
        yield running_service


def state(runtime: Runtime) -> str:
    """Return the state of the one Item."""
    (row,) = query(runtime, "SELECT state FROM items")
    return str(row.state)


def codes(runtime: Runtime) -> set[str]:
    """Return the codes of the webhooks that were handled."""
    return {row.webhook_code for row in query(runtime, ROWS) if row.handled}


def linked_and_quiet(api: Api, runtime: Runtime, bank: Running) -> str:
    """Link an Item and wait until its first webhooks are over; return it."""
    item_id = linked(api, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    wait_until(lambda: stored(api))
    wait_until(lambda: bank.control.webhook_states().keys() <= {"delivered"})
    settle(runtime)
    return item_id


def test_the_bank_changes_and_nobody_asks(api: Api, runtime: Runtime, bank: Running) -> None:
    """Added, modified and removed rows come by webhook; no schedule is due for hours."""
    item_id = linked(api, bank)
    settle(runtime)
    (first, second) = bank.control.changes(item_id, added=[{"amount": 1}, {"amount": 2}])["added"]
    wait_until(lambda: stored(api).keys() == {first, second})
    bank.control.changes(
        item_id, modified=[{"transaction_id": first, "amount": 3}], removed=[second]
    )
    wait_until(lambda: stored(api).keys() == {first} and stored(api)[first]["amount"] == 3)
    assert_equals_ledger(api, bank, item_id)
    settle(runtime)
    assert not query(runtime, f"{ROWS} WHERE handled_at IS NULL")


def test_a_broken_and_repaired_login_is_told(api: Api, runtime: Runtime, bank: Running) -> None:
    """ITEM webhooks make us ask `/item/get`, whose answer drives the state, there and back."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    settle(runtime)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    wait_until(lambda: state(runtime) == "needs re-link")
    bank.control.changes(new.item_id, added=[{"amount": 1}])
    bank.control.call("POST", f"/items/{new.item_id}/repair")
    wait_until(lambda: state(runtime) == "healthy")
    settle(runtime)
    assert {"ERROR", "LOGIN_REPAIRED"} <= codes(runtime)
    assert_equals_ledger(api, bank, new.item_id)


@pytest.mark.parametrize("code", ["ERROR", "USER_PERMISSION_REVOKED", "LOGIN_REPAIRED"])
def test_a_late_webhook_of_an_item_sets_no_state(
    api: Api, runtime: Runtime, bank: Running, code: str
) -> None:
    """What it says was true once; `/item/get` says what is."""
    item_id = linked(api, bank)
    settle(runtime)
    broken = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}
    send(bank, runtime, "ITEM", code, item_id=item_id, error=broken)
    wait_until(lambda: code in codes(runtime))
    settle(runtime)
    assert state(runtime) == "healthy"


def send(bank: Running, runtime: Runtime, kind: str, code: str, **body: Any) -> None:
    """Have the bank sign and send a webhook of its own making."""
    webhook = {"webhook_type": kind, "webhook_code": code, "environment": "sandbox", **body}
    bank.control.send_webhook(webhook, url=runtime.settings.webhook_url)


def test_an_announced_end_is_told_until_the_item_is_repaired(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """PENDING_DISCONNECT says when, which `/item/get` does not; one sent before a repair says nothing."""
    item_id = linked(api, bank)
    settle(runtime)
    (row,) = query(runtime, "SELECT now() + interval '6 days' AS at")
    ending = {"reason": "INSTITUTION_MIGRATION", "disconnect_time": row.at.isoformat()}
    send(bank, runtime, "ITEM", "PENDING_DISCONNECT", item_id=item_id, **ending)
    wait_until(lambda: state(runtime) == "disconnecting")
    (told,) = query(runtime, "SELECT disconnect_at, state_reason FROM items")
    assert told == (row.at, "INSTITUTION_MIGRATION")
    repaired = "UPDATE items SET repaired_at = now() + interval '1 minute', disconnect_at = NULL"
    query(runtime, repaired)
    settle(runtime)
    send(bank, runtime, "ITEM", "PENDING_DISCONNECT", item_id=item_id, **ending)
    wait_until(lambda: state(runtime) == "healthy")
    assert query(runtime, "SELECT disconnect_at FROM items") == [(None,)]


def test_a_date_that_is_none_keeps_nobody_from_syncing(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """A body that Plaid's documents do not describe is noted in the log, and the run goes on."""
    item_id = linked(api, bank)
    settle(runtime)
    send(bank, runtime, "ITEM", "PENDING_DISCONNECT", item_id=item_id, disconnect_time="soon")
    wait_until(lambda: "PENDING_DISCONNECT" in codes(runtime))
    settle(runtime)
    assert state(runtime) == "healthy"
    assert runs(runtime, item_id)[-1] == "up_to_date"


def test_new_accounts_are_told(api: Api, runtime: Runtime, bank: Running) -> None:
    """The Item remembers that the person has accounts which they can share."""
    item_id = linked(api, bank)
    settle(runtime)
    send(bank, runtime, "ITEM", "NEW_ACCOUNTS_AVAILABLE", item_id=item_id)
    wait_until(lambda: query(runtime, "SELECT 1 FROM items WHERE new_accounts_at IS NOT NULL"))


def test_a_webhook_in_the_middle_of_a_run_causes_one_more(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """However many come while Plaid is being asked: one run more, after this one."""
    item_id = linked_and_quiet(api, runtime, bank)
    before = len(runs(runtime, item_id))
    with holding(bank, SYNC_PATH) as hold:
        bank.control.changes(item_id, added=[{"amount": 1}])
        hold.reached()
        known = len(query(runtime, ROWS))
        for _ in range(3):
            send(bank, runtime, "TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", item_id=item_id)
        wait_until(lambda: len(query(runtime, ROWS)) >= known + 3)
        hold.release()
        settle(runtime)
    assert len(runs(runtime, item_id)) == before + 2
    assert_equals_ledger(api, bank, item_id)


def test_webhooks_from_all_sides_at_once(api: Api, runtime: Runtime, bank: Running) -> None:
    """Doubled, reordered and late webhooks of several Items end with equal tables."""
    items = [linked(api, bank, user) for user in ("ada", "grace", "mary")]
    bank.control.trouble(double=True, times=0)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(5):
            list(pool.map(lambda item: bank.control.changes(item, added=[{"amount": 1}]), items))
    wait_until(lambda: all(len(stored(api, item_id=item, user_id="*")) == 5 for item in items))
    settle(runtime)
    for item_id in items:
        assert_equals_ledger(api, bank, item_id)

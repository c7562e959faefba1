"""Which webhooks tell of transactions, and when: once, at the change, without a client's call."""

import json
import time
from typing import Any

import pytest

from platypus_bank.receiver import until
from platypus_bank.testing import running

SYNC, DEFAULT, REMOVED = "SYNC_UPDATES_AVAILABLE", "DEFAULT_UPDATE", "TRANSACTIONS_REMOVED"
INITIAL, HISTORICAL = "INITIAL_UPDATE", "HISTORICAL_UPDATE"
MODELS = {
    SYNC: "sync_updates_available_webhook",
    DEFAULT: "default_update_webhook",
    REMOVED: "transactions_removed_webhook",
    INITIAL: "initial_update_webhook",
    HISTORICAL: "historical_update_webhook",
}


def fired(bank: Any) -> list[str]:
    """Return the codes so far, in the order in which they were fired."""
    return [each["webhook_code"] for each in bank.control.webhooks()]


@pytest.fixture
def synced(api: Any, receiver: Any) -> tuple[str, str, str, dict[str, Any]]:
    """An Item that was synced, its first webhooks out of the way: token, id, cursor, rows."""
    access, item_id = api.item(webhook=receiver.url)
    cursor, rows = api.pull(access)
    receiver.wait(2)
    receiver.received.clear()
    return access, item_id, cursor, rows


def test_history_is_told_when_it_comes_in_by_itself(
    api: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    bank.control.settings(initial_update_seconds=0.1, historical_update_seconds=0.3)
    _, item_id = api.item(webhook=receiver.url)
    first, second = receiver.wait(2)
    initial = read_webhook(MODELS[INITIAL], first)
    historical = read_webhook(MODELS[HISTORICAL], second)
    assert (initial.item_id, initial.new_transactions) == (item_id, 16)
    assert (historical.item_id, historical.new_transactions) == (item_id, 388 - 16)
    assert str(initial.environment) == "sandbox"


def test_an_item_that_was_synced_early_is_told_twice(api: Any, bank: Any, receiver: Any) -> None:
    """The first call arms SYNC_UPDATES_AVAILABLE; it is sent for 30 days, then for everything."""
    bank.control.settings(initial_update_seconds=100, historical_update_seconds=200)
    access, _ = api.item(webhook=receiver.url)
    assert api.sync(access)["transactions_update_status"] == "NOT_READY"
    bank.control.advance(100)
    assert fired(bank) == [INITIAL, SYNC]
    bank.control.advance(100)
    assert fired(bank) == [INITIAL, SYNC, HISTORICAL, SYNC]
    receiver.wait(4)
    flags = sorted(
        (each.json["initial_update_complete"], each.json["historical_update_complete"])
        for each in receiver.received
        if each.code == SYNC
    )
    assert flags == [(True, False), (True, True)]


def test_an_item_that_was_never_synced_gets_the_old_codes_only(
    api: Any, bank: Any, receiver: Any
) -> None:
    _, item_id = api.item(webhook=receiver.url)
    bank.control.changes(item_id, added=[{"amount": 1}])
    assert fired(bank) == [INITIAL, HISTORICAL, DEFAULT]


def test_what_the_first_sync_brings_is_not_told_again(api: Any, bank: Any, receiver: Any) -> None:
    access, _ = api.item(webhook=receiver.url)
    api.pull(access)
    assert fired(bank) == [INITIAL, HISTORICAL]


def test_a_product_that_starts_at_the_first_sync(api: Any, bank: Any, receiver: Any) -> None:
    """History that comes in by the very call is told by the old codes only."""
    token = api.link_token(
        products=["auth"], additional_consented_products=["transactions"], webhook=receiver.url
    )
    done = bank.control.complete_link(token)
    access = api.post("/item/public_token/exchange", public_token=done["public_token"])[
        "access_token"
    ]
    assert fired(bank) == []
    assert api.sync(access)["transactions_update_status"] == "HISTORICAL_UPDATE_COMPLETE"
    assert fired(bank) == [INITIAL, HISTORICAL]


def test_a_change_is_told_with_the_old_codes_alongside(
    synced: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    _, item_id, _, rows = synced
    gone, kept = list(rows)[:2]
    bank.control.changes(
        item_id,
        added=[{"amount": 1}, {"amount": 2}],
        modified=[{"transaction_id": kept, "amount": 3}],
        removed=[gone],
    )
    receiver.wait(3)
    told = {each.code: read_webhook(MODELS[each.code], each) for each in receiver.received}
    assert set(told) == {SYNC, DEFAULT, REMOVED}
    assert told[DEFAULT].new_transactions == 2
    assert told[REMOVED].removed_transactions == [gone]
    assert told[SYNC].historical_update_complete is True
    assert {each.item_id for each in told.values()} == {item_id}


def test_a_mere_modification_has_no_old_code(synced: Any, bank: Any) -> None:
    _, item_id, _, rows = synced
    before = len(fired(bank))
    bank.control.changes(item_id, modified=[{"transaction_id": next(iter(rows)), "amount": 3}])
    assert fired(bank)[before:] == [SYNC]


def test_scripts_and_bulk_are_told_too(synced: Any, bank: Any) -> None:
    _, item_id, _, _ = synced
    before = len(fired(bank))
    bank.control.script(item_id, [{"added": [{"amount": 1}]}, {"removed": ["nobody"]}])
    bank.control.bulk(item_id, 500)
    assert fired(bank)[before:] == [DEFAULT, SYNC, DEFAULT, SYNC]


def test_a_change_that_changes_nothing_is_not_told(synced: Any, api: Any, bank: Any) -> None:
    access, item_id, _, _ = synced
    before = len(fired(bank))
    bank.control.changes(item_id)
    api.post("/transactions/refresh", access_token=access)
    assert len(fired(bank)) == before


def test_a_refresh_of_the_dynamic_user_is_told(api: Any, receiver: Any) -> None:
    access, item_id = api.item(
        webhook=receiver.url,
        override_username="user_transactions_dynamic",
        override_password="anything",
    )
    cursor, _ = api.pull(access)
    api.post("/transactions/refresh", access_token=access)
    receiver.wait(5)
    [removed] = [each.json for each in receiver.received if each.code == REMOVED]
    [added] = [each.json for each in receiver.received if each.code == DEFAULT]
    page = api.sync(access, cursor)
    assert removed["removed_transactions"] == [each["transaction_id"] for each in page["removed"]]
    assert added["new_transactions"] == len(page["added"]) == 8
    assert added["item_id"] == item_id


def test_pendings_post_by_the_clock_without_a_call(api: Any, bank: Any, receiver: Any) -> None:
    access, _ = api.item(
        webhook=receiver.url,
        override_username="user_transactions_dynamic",
        override_password="anything",
    )
    api.pull(access)
    before = len(fired(bank))
    bank.control.advance(14 * 86_400)
    assert fired(bank)[before:] == [REMOVED, DEFAULT, SYNC]
    receiver.wait(before + 3)


def test_a_broken_item_is_silent_and_then_makes_up_for_it(
    synced: Any, bank: Any, receiver: Any
) -> None:
    _, item_id, _, _ = synced
    bank.control.break_login(item_id)
    before = len(fired(bank))
    bank.control.changes(item_id, added=[{"amount": 1}])
    bank.control.changes(item_id, added=[{"amount": 2}])
    assert len(fired(bank)) == before
    bank.control.repair(item_id)
    assert fired(bank)[before:] == ["LOGIN_REPAIRED", DEFAULT, SYNC]
    [told] = [each for each in bank.control.webhooks() if each["webhook_code"] == DEFAULT]
    assert '"new_transactions": 2' in told["text"]
    receiver.wait(4)


def test_held_readiness_is_told_when_it_is_let_go(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.settings(initial_update_seconds="held")
    access, item_id = api.item(webhook=receiver.url)
    api.sync(access)
    bank.control.advance(86_400)
    assert fired(bank) == []
    bank.control.readiness(item_id, "INITIAL_UPDATE_COMPLETE")
    assert fired(bank) == [INITIAL, SYNC]
    bank.control.readiness(item_id, "HISTORICAL_UPDATE_COMPLETE")
    assert fired(bank) == [INITIAL, SYNC, HISTORICAL, SYNC]


def test_a_setting_that_makes_history_due_is_noticed(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.settings(initial_update_seconds="held", historical_update_seconds="held")
    api.item(webhook=receiver.url)
    bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
    assert [each.code for each in sorted(receiver.wait(2), key=lambda each: each.code)] == [
        HISTORICAL, INITIAL,
    ]  # fmt: skip


def test_another_selection_is_told_as_a_pull_from_the_start(
    api: Any, bank: Any, receiver: Any
) -> None:
    token = api.link_token(webhook=receiver.url)
    done = bank.control.complete_link(token, accounts=["0000"])
    access = api.post("/item/public_token/exchange", public_token=done["public_token"])[
        "access_token"
    ]
    cursor, _ = api.pull(access)
    before = len(fired(bank))
    repair = api.link_token(
        access_token=access, products=None, update={"account_selection_enabled": True}
    )
    bank.control.complete_link(repair, accounts=["0000", "1111"])
    assert fired(bank)[before:] == [INITIAL, SYNC, HISTORICAL, SYNC]
    told = [json.loads(each["text"]) for each in bank.control.webhooks()[before:]]
    counts = [each["new_transactions"] for each in told if "new_transactions" in each]
    assert len(counts) == 2
    assert sum(counts) == len(api.pull(access, cursor)[1]) > 0


def test_nothing_is_sent_without_a_webhook(api: Any, bank: Any, receiver: Any) -> None:
    access, item_id = api.item()
    api.pull(access)
    bank.control.changes(item_id, added=[{"amount": 1}])
    api.post("/sandbox/item/reset_login", access_token=access)
    assert bank.control.webhooks() == []
    api.post("/item/webhook/update", access_token=access, webhook=receiver.url)
    bank.control.repair(item_id)
    receiver.wait(2)
    assert fired(bank) == ["WEBHOOK_UPDATE_ACKNOWLEDGED", "LOGIN_REPAIRED"]


def test_nothing_is_sent_for_a_removed_item(synced: Any, api: Any, bank: Any) -> None:
    access, item_id, _, _ = synced
    before = len(fired(bank))
    api.post("/item/remove", access_token=access)
    bank.control.changes(item_id, added=[{"amount": 1}])
    bank.control.break_login(item_id)
    bank.control.advance(86_400 * 20)
    assert len(fired(bank)) == before


def test_a_refused_change_fires_nothing(synced: Any, api: Any, bank: Any) -> None:
    """The webhook is part of the change's commit."""
    access, item_id, cursor, rows = synced
    before = len(fired(bank))
    with pytest.raises(Exception, match="nobody"):
        bank.control.changes(item_id, added=[{}], removed=[next(iter(rows)), "nobody"])
    assert len(fired(bank)) == before
    assert api.pull(access, cursor)[1] == {}


def test_what_became_due_while_it_was_down_is_told_at_the_start(
    api: Any, tmp_path: Any, receiver: Any
) -> None:
    with running(tmp_path) as bank:
        api.bank = bank
        bank.control.settings(initial_update_seconds=0.5, historical_update_seconds=0.5)
        api.item(webhook=receiver.url)
        bank.kill()
        time.sleep(0.6)
        bank.restart()
        receiver.wait(2)
        assert fired(bank) == [INITIAL, HISTORICAL]


def test_no_change_is_lost_or_invented_by_crashes(api: Any, tmp_path: Any, receiver: Any) -> None:
    """As many codes as changes, whatever was killed when."""
    with running(tmp_path) as bank:
        api.bank = bank
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        access, item_id = api.item(webhook=receiver.url)
        api.pull(access)
        for amount in range(4):
            bank.control.changes(item_id, added=[{"amount": amount}])
            bank.restart()
        assert fired(bank) == [INITIAL, HISTORICAL, *[DEFAULT, SYNC] * 4]
        until(lambda: bank.control.webhook_states() == {"delivered": 10})
        assert {*receiver.codes()} == {INITIAL, HISTORICAL, DEFAULT, SYNC}

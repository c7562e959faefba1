"""An empty `next_cursor` where Plaid has data: it is no place to go on from, so none is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scenes import (
    SYNC_PATH,
    assert_equals_ledger,
    bank_account,
    dictate_page,
    exchange,
    linked,
    newcomer,
    person,
    purchases,
    query,
    states,
    stored,
)

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

OWNED = 10


def answer_without_cursor(
    bank: Running, rows: list[dict[str, Any]] | None = None, after: int = 0
) -> None:
    """Let a page be the last one, complete, and without a cursor."""
    dictate_page(bank, {"added": rows or [], "next_cursor": ""}, after=after)


def remove_newest(api: Api, bank: Running, item_id: str) -> None:
    """Take the newest transaction away at the bank."""
    newest, *_ = api.transactions()
    bank.control.changes(item_id, removed=[newest["transaction_id"]])


@pytest.fixture
def item_id(api: Api, bank: Running) -> str:
    """An Item with ten transactions."""
    item_id = linked(api, bank, **person(bank_account(transactions=purchases(OWNED))))
    assert len(stored(api)) == OWNED
    return item_id


def test_it_does_not_take_the_cursors_place(
    api: Api, runtime: Runtime, bank: Running, item_id: str
) -> None:
    """What was removed before and after is removed all the same: the stored cursor stays."""
    remove_newest(api, bank, item_id)
    before = query(runtime, "SELECT cursor FROM item_products")
    answer_without_cursor(bank)
    assert api.sync(item_id)["status"] == "up_to_date"
    assert query(runtime, "SELECT cursor FROM item_products") == before
    assert api.sync(item_id)["transactions_synced"] == 1
    assert_equals_ledger(api, bank, item_id)


def test_it_does_not_wait_for_the_next_interval(
    api: Api, runtime: Runtime, bank: Running, item_id: str
) -> None:
    """What that answer left out is asked for again within minutes."""
    answer_without_cursor(bank)
    api.sync(item_id)
    soon = "SELECT next_try_at < now() + interval '11 minutes' FROM item_products"
    assert query(runtime, soon) == [(True,)]


def test_its_rows_are_merged_once(api: Api, bank: Running, item_id: str) -> None:
    """Rows that came with it come again with the old cursor, and stand there once."""
    bank.control.changes(item_id, added=[{"amount": 1}])
    answer_without_cursor(bank, bank.control.ledger(item_id)["transactions"])
    for _ in range(2):
        assert api.sync(item_id)["status"] == "synced"
        assert_equals_ledger(api, bank, item_id)
    assert api.sync(item_id)["status"] == "up_to_date"


def test_it_does_not_end_a_rebuild(api: Api, bank: Running, item_id: str) -> None:
    """A rebuild that ends without a cursor tombstones nothing, and the next run rebuilds again."""
    remove_newest(api, bank, item_id)
    bank.control.forget_cursors(item_id)
    bank.control.forget_calls()
    answer_without_cursor(bank, bank.control.ledger(item_id)["transactions"], after=1)
    api.sync(item_id)
    assert len(stored(api)) == OWNED
    api.sync(item_id)
    assert_equals_ledger(api, bank, item_id)
    assert [call["cursor"] == "" for call in bank.control.calls(SYNC_PATH)] == [
        False,
        True,
        False,
        True,
    ]


def test_a_first_sync_without_one_is_made_good(api: Api, bank: Running) -> None:
    """Where rows came and no cursor, the next pull is a rebuild: what is gone since is tombstoned."""
    new = newcomer(api, bank, **person(bank_account(transactions=purchases(OWNED))))
    answer_without_cursor(bank, bank.control.ledger(new.item_id)["transactions"])
    assert exchange(api, new.public_token).is_success
    api.sync(new.item_id)
    assert len(stored(api)) == OWNED
    remove_newest(api, bank, new.item_id)
    api.sync(new.item_id)
    assert states(api)[new.item_id] == {"transactions": "ready"}
    assert_equals_ledger(api, bank, new.item_id)

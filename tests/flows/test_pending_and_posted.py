"""Pending to posted: one movement under two ids, never seen twice and never seen missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scenes import SYNC_PATH, assert_equals_ledger, background, holding, linked, stored

if TYPE_CHECKING:
    from harness import Api
    from platypus_bank.testing import Running

PENDING = {"transaction_id": "p", "amount": 10, "pending": True}
POSTED = {"transaction_id": "q", "amount": 11, "pending_transaction_id": "p"}
POSTING: dict[str, Any] = {"added": [POSTED]}
LEAVING: dict[str, Any] = {"removed": ["p"]}


@pytest.fixture
def item_id(api: Api, bank: Running) -> str:
    """An Item that holds one pending transaction."""
    item_id = linked(api, bank)
    bank.control.script(item_id, [{"added": [PENDING]}])
    assert api.sync(item_id)["transactions_synced"] == 1
    return item_id


@pytest.mark.parametrize("script", [[POSTING, LEAVING], [LEAVING, POSTING]])
def test_nobody_sees_half_of_it(
    api: Api, bank: Running, item_id: str, script: list[dict[str, Any]]
) -> None:
    """Posted on one page and removed on the other, in either order: readers see before or after."""
    lineage = stored(api)["p"]["lineage_id"]
    bank.control.script(item_id, script)
    with holding(bank, SYNC_PATH, after=1) as hold, background() as start:
        running = start(api.sync, item_id)
        hold.reached()
        assert stored(api).keys() == {"p"}
        hold.release()
        assert running.result()["transactions_synced"] == 2
    after = stored(api)
    assert after.keys() == {"q"}
    assert after["q"]["lineage_id"] == lineage == "p"
    assert_equals_ledger(api, bank, item_id)


def test_both_in_the_same_update(api: Api, bank: Running) -> None:
    """Pending and posted may come in one update that never showed the pending row."""
    item_id = linked(api, bank)
    bank.control.script(item_id, [{"added": [PENDING]}, POSTING, LEAVING])
    assert api.sync(item_id)["transactions_synced"] == 1
    assert {name: row["lineage_id"] for name, row in stored(api).items()} == {"q": "p"}


def test_posted_in_a_later_update(api: Api, bank: Running, item_id: str) -> None:
    """Where the pending row went first and the posted one came later, the lineage still holds."""
    bank.control.script(item_id, [LEAVING])
    api.sync(item_id)
    bank.control.script(item_id, [POSTING])
    api.sync(item_id)
    assert stored(api)["q"]["lineage_id"] == "p"


def test_a_chain_of_ids(api: Api, bank: Running, item_id: str) -> None:
    """A pending row that was replaced by another pending one hands its lineage all the way."""
    again = {"transaction_id": "p2", "pending": True, "pending_transaction_id": "p"}
    posted = {"transaction_id": "q", "pending_transaction_id": "p2"}
    bank.control.script(item_id, [{"added": [posted]}, {"added": [again]}, {"removed": ["p"]}])
    api.sync(item_id)
    lineages = {name: row["lineage_id"] for name, row in stored(api).items()}
    assert lineages == {"q": "p", "p2": "p"}


def test_the_link_may_be_told_late(api: Api, bank: Running, item_id: str) -> None:
    """A posted row that names its pending one only in a modification joins its lineage then."""
    unnamed = {"transaction_id": "q", "amount": 11}
    bank.control.script(item_id, [{"added": [unnamed], "removed": ["p"]}])
    api.sync(item_id)
    assert stored(api)["q"]["lineage_id"] == "q"
    bank.control.script(item_id, [{"modified": [POSTED]}])
    api.sync(item_id)
    assert stored(api)["q"]["lineage_id"] == "p"

"""What a run costs: nothing that grows, and little where nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.services import sync_item
from harness import wait_until
from scenes import SYNC_PATH, background, executed, holding, never, query
from workers import ask_for_run, runs, store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


def statements_of_a_run(parts: Runtime, item_id: str) -> list[str]:
    ask_for_run(parts, item_id)
    with executed(parts) as seen:
        sync_item.now(parts, item_id, never)
    return [statement for statement, _ in seen]


def test_a_poll_that_brings_nothing_stages_nothing(parts: Runtime, bank: Running) -> None:
    """Most polls of most Items are such: no staging is touched then, and no transaction looked for."""
    item_id = store_item(parts, bank)
    bank.control.changes(item_id, added=[{"amount": 1}])
    first, second = (statements_of_a_run(parts, item_id) for _ in range(2))
    assert runs(parts, item_id) == ["synced", "up_to_date"]
    assert any("transaction_staging" in each for each in first)
    assert [each for each in second if "transaction" in each] == []
    assert query(parts, "SELECT count(*) FROM transactions") == [(1,)]


ONE_MORE = """
    INSERT INTO transaction_staging (run_id, page, row, op, transaction_id, account_id)
    SELECT run_id, page, row + 1, op, 'more', account_id FROM transaction_staging WHERE page = 1
"""


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM transaction_staging WHERE page = 0",
        "DELETE FROM transaction_staging WHERE page = 1",
        ONE_MORE,
        ONE_MORE.replace("page, row + 1, op", "page + 2, row, op"),
    ],
)
def test_staging_that_is_not_what_was_pulled(parts: Runtime, bank: Running, change: str) -> None:
    """A crash takes a page back, for it does not wait for the disk: nothing of the update is applied."""
    item_id = store_item(parts, bank)
    update = [{"added": [{"transaction_id": name}]} for name in ("t1", "t2", "t3")]
    bank.control.script(item_id, update)
    ask_for_run(parts, item_id)
    with holding(bank, SYNC_PATH, after=2) as hold, background() as start:
        running = start(sync_item.now, parts, item_id, never)
        hold.reached()
        wait_until(lambda: query(parts, "SELECT 1 FROM transaction_staging WHERE page = 1"))
        query(parts, change)
        hold.release()
        running.result()
    (end,) = query(parts, "SELECT status, error_code FROM sync_runs")
    assert tuple(end) == ("failed", "staging_incomplete")
    assert query(parts, "SELECT 1 FROM transactions") == []

"""What a run costs: nothing that grows, and little where nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.services import sync_item
from scenes import executed, never, query
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

"""`bankloom items remove` and `bankloom users erase`: they ask, say what it means, show the receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands import bankloom
from harness import environment_for
from scenes import query
from workers import store_item

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


def test_what_is_to_be_erased_is_shown_first(
    runtime: Runtime, settings: Settings, bank: Running
) -> None:
    """A no changes nothing; a yes erases; a person's erasure names what is left and why."""
    beside = environment_for(settings)
    item_id, other = store_item(runtime, bank), store_item(runtime, bank)
    refused = bankloom(beside, "items", "remove", item_id, given="n\n")
    assert refused.returncode == 1
    assert f"Item {item_id}" in refused.stdout
    assert "of ada) is removed at Plaid" in refused.stdout
    assert query(runtime, "SELECT 1 FROM erasures") == []
    removed = bankloom(beside, "items", "remove", item_id, "--keep-data", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert "data kept" in removed.stdout
    error = {"error_type": "INVALID_INPUT", "error_code": "INVALID_API_KEYS"}
    bank.control.fault("/item/remove", item_id=other, error=error)
    first = bankloom(beside, "users", "erase", "ada", given="y\n")
    assert first.returncode == 1
    assert "All 2 Items of ada" in first.stdout
    assert f"item {other}: NOT erased: Plaid refused" in first.stdout.replace("\n", " ")
    second = bankloom(beside, "users", "erase", "ada", "--yes")
    assert second.returncode == 0, second.stderr
    (receipt,) = query(runtime, "SELECT id FROM erasures WHERE subject = 'user'")
    assert f"Receipt {receipt.id}: user, erased" in second.stdout
    assert query(runtime, "SELECT 1 FROM items") == []

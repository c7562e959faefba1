"""Plaid's rate limits from outside: work is delayed, never lost, and Plaid is never asked too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.services import rate_limits
from harness import serving, settings_for, wait_until
from scenes import SYNC_PATH, assert_equals_ledger, linked, query

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from platypus_bank.testing import Running

PAGES = 4


def test_a_history_longer_than_a_minutes_budget_comes_to_its_end(
    bank: Running, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages wait for their turn, longer than other calls would; none is thrown away or pulled twice."""
    monkeypatch.setattr(rate_limits, "WINDOW_SECONDS", 4.5)  # 2.25 s between two pages of an Item
    limits = tmp_path / "limits.toml"
    limits.write_text(f'[sandbox]\n"{SYNC_PATH}" = {{ item = 2, client = 1000 }}')
    settings = settings_for(bank.url, database_url, tmp_path / "data", rate_limits=str(limits))
    with serving(settings) as (api, runtime):
        item_id = linked(api, bank)
        wait_until(lambda: not query(runtime, "SELECT FROM plaid_budgets WHERE free_at > now()"))
        bank.control.bulk(item_id, 500 * PAGES)
        bank.control.forget_calls()
        answer = api.sync(item_id)
        assert (answer["status"], answer["transactions_synced"]) == ("synced", 500 * PAGES)
        calls = bank.control.calls(SYNC_PATH, item_id)
        assert len({call["cursor"] for call in calls}) == len(calls) == PAGES
        assert_equals_ledger(api, bank, item_id)

"""The main job over HTTP: link, exchange per product, sync, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Api
    from platypus_bank.testing import Running


def test_what_is_read_back_equals_the_banks_ledger(api: Api, bank: Running) -> None:
    """After linking, accounts and transactions flow in and equal the bank's truth."""
    item_id = api.link(bank, products=["transactions", "liabilities"])
    api.sync_until_complete(item_id)
    ledger = bank.control.ledger(item_id)
    stored = {row["transaction_id"]: row["amount"] for row in api.transactions()}
    assert stored == {row["transaction_id"]: row["amount"] for row in ledger["transactions"]}
    assert len(stored) > 300
    balances = {row["account_id"]: row["balance"] for row in api.accounts()}
    assert balances == {row["account_id"]: row["balances"]["current"] for row in ledger["accounts"]}

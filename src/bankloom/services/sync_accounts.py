"""Reads an Item's accounts and their cached balances, once a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bankloom.core import clock
from bankloom.models import Account, BalanceSnapshot
from bankloom.services import item_health

if TYPE_CHECKING:
    from bankloom.services.fence import Run
    from bankloom.services.plaid_messages import LinkAccount, PlaidAccount


def now(run: Run) -> set[str]:
    """Store what `/accounts/get` lists and a snapshot of each balance; return the account ids."""
    described = run.runtime.plaid.accounts_get(run.access_token)
    by_id = {account.account_id: (account, payload) for account, payload in described}
    rows = [account_values(account, payload) for account, payload in by_id.values()]
    at = clock.now()
    with run.hold() as session:
        Account.put_described(session, run.item.item_id, rows, at)
        BalanceSnapshot.take(session, run.item.item_id, at)
        settings = run.runtime.settings
        with item_health.checked_as_its_state_asks(session, run.item.item_id, settings):
            item_health.note_proof(session, run.item.item_id)
    return set(by_id)


def account_values(account: PlaidAccount, payload: bytes) -> dict[str, Any]:
    """Return the column values of an account that Plaid described."""
    balances = account.balances
    return {
        "account_id": account.account_id,
        "name": account.name,
        "official_name": account.official_name,
        "mask": account.mask,
        "type": account.type,
        "subtype": account.subtype,
        "current": balances.current,
        "available": balances.available,
        "limit": balances.limit,
        "iso_currency_code": balances.iso_currency_code,
        "unofficial_currency_code": balances.unofficial_currency_code,
        "persistent_account_id": account.persistent_account_id,
        "payload": payload,
    }


def link_account_values(account: LinkAccount) -> dict[str, Any]:
    """Return the column values of an account that only Link has named so far."""
    return {
        **unknown_account_values(account.id),
        "name": account.name or "Account",
        "mask": account.mask,
        "type": account.type or "other",
        "subtype": account.subtype,
    }


def unknown_account_values(account_id: str) -> dict[str, Any]:
    """Return the column values of an account of which nothing but the id is known."""
    nothing = dict.fromkeys(
        (
            "official_name",
            "mask",
            "subtype",
            "current",
            "available",
            "limit",
            "iso_currency_code",
            "unofficial_currency_code",
            "persistent_account_id",
            "payload",
        )
    )
    return {"account_id": account_id, "name": "Account", "type": "other", **nothing}

"""What each webhook says (the *Webhook schemas of the OpenAPI file and their examples)."""

from typing import Any

from platypus_bank.clock import iso
from platypus_bank.errors import PlaidError
from platypus_bank.ids import ENVIRONMENT
from platypus_bank.records import Item, UpdateStatus

Body = dict[str, Any]


def webhook(kind: str, code: str, **fields: Any) -> Body:
    """Return a webhook of type `kind`, with the fields that all have."""
    return {"webhook_type": kind, "webhook_code": code, "environment": ENVIRONMENT, **fields}


def item_webhook(item: Item, code: str, **fields: Any) -> Body:
    """Return ITEM / `code`."""
    return webhook("ITEM", code, item_id=item.id, **fields)


def transactions_webhook(item: Item, code: str, **fields: Any) -> Body:
    """Return TRANSACTIONS / `code`."""
    return webhook("TRANSACTIONS", code, item_id=item.id, **fields)


def sync_updates_available(item: Item, status: UpdateStatus) -> Body:
    """Return what tells a client of /transactions/sync that there is something to take."""
    return transactions_webhook(
        item,
        "SYNC_UPDATES_AVAILABLE",
        initial_update_complete=status != "NOT_READY",
        historical_update_complete=status == "HISTORICAL_UPDATE_COMPLETE",
    )


def new_transactions(item: Item, code: str, count: int) -> Body:
    """Return a legacy webhook that only counts: INITIAL_, HISTORICAL_ or DEFAULT_UPDATE."""
    return transactions_webhook(item, code, new_transactions=count, error=None)


def transactions_removed(item: Item, transaction_ids: list[str]) -> Body:
    """Return the legacy webhook that names what is gone."""
    return transactions_webhook(
        item, "TRANSACTIONS_REMOVED", removed_transactions=transaction_ids, error=None
    )


def holdings_update(item: Item, updated: int) -> Body:
    """Return HOLDINGS / DEFAULT_UPDATE, of holdings that were there before."""
    return webhook(
        "HOLDINGS",
        "DEFAULT_UPDATE",
        item_id=item.id,
        error=None,
        new_holdings=0,
        updated_holdings=updated,
    )


def investments_update(item: Item, code: str, new: int) -> Body:
    """Return INVESTMENTS_TRANSACTIONS / `code`: HISTORICAL_ or DEFAULT_UPDATE."""
    return webhook(
        "INVESTMENTS_TRANSACTIONS",
        code,
        item_id=item.id,
        error=None,
        new_investments_transactions=new,
        cancelled_investments_transactions=0,
    )


def liabilities_update(item: Item, new: list[str], updated: dict[str, list[str]]) -> Body:
    """Return LIABILITIES / DEFAULT_UPDATE: ids of accounts, and what changed about the known ones."""
    return webhook(
        "LIABILITIES",
        "DEFAULT_UPDATE",
        item_id=item.id,
        error=None,
        account_ids_with_new_liabilities=new,
        account_ids_with_updated_liabilities=updated,
    )


def pending_disconnect(item: Item, reason: str, at: float) -> Body:
    """Return ITEM / PENDING_DISCONNECT (US and Canada)."""
    return item_webhook(item, "PENDING_DISCONNECT", reason=reason, disconnect_time=iso(at))


def pending_expiration(item: Item, at: float) -> Body:
    """Return ITEM / PENDING_EXPIRATION (Europe)."""
    return item_webhook(item, "PENDING_EXPIRATION", consent_expiration_time=iso(at))


def link_webhook(code: str, link_token: str, link_session_id: str, **fields: Any) -> Body:
    """Return LINK / `code`, about a Link session."""
    about = {"link_token": link_token, "link_session_id": link_session_id}
    return webhook("LINK", code, **about, **fields)


def error_in_webhook(error: PlaidError, reason: str | None = None) -> Body:
    """Return an Item's error as webhooks carry it: with a status, without a request_id."""
    shown = error.body()
    names = ("display_message", "error_code", "error_message")
    return {
        **{name: shown[name] for name in names},
        "error_code_reason": reason,
        "error_type": "ITEM_ERROR",
        "status": error.status,
    }

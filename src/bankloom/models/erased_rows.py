"""What is deleted when an Item, an account or a person is erased: batch by batch, each of one table.

A batch leaves out rows in other hands, so it waits for nobody while it holds what it has: erasing
can't be part of a ring of waits. What it left out, a later batch finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

from bankloom.models.base import rows_changed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

BATCH_ROWS = 5_000
"""A commit of a tenth of a second or so: nobody waits long, and little is done twice after a crash."""


class Rows(NamedTuple):
    """Rows of one table that are to go; `found` selects them as `t`, by the parameters of `delete`."""

    table: str
    found: str
    change: str = "DELETE FROM {table}"

    @property
    def deletes(self) -> bool:
        """Whether the rows go, or only what they say of the Item."""
        return self.change.startswith("DELETE")

    def delete(self, session: Session, params: dict[str, Any]) -> int:
        """Delete a batch and return how many rows that was: 0 where none is left, or free."""
        chosen = f"{self.found} LIMIT {BATCH_ROWS} FOR UPDATE OF t SKIP LOCKED"
        change = self.change.format(table=self.table)
        return rows_changed(session, text(f"{change} WHERE ctid = ANY(ARRAY({chosen}))"), params)

    def any_left(self, session: Session, params: dict[str, Any]) -> bool:
        """Say whether there still is one."""
        return session.execute(text(f"{self.found} LIMIT 1"), params).first() is not None


_OF_ACCOUNTS = (
    "SELECT t.ctid FROM accounts a JOIN {table} t ON t.account_id = a.account_id"
    " WHERE a.item_id = :item_id AND {account}{more}"
)


def _of_accounts(table: str, account: str, more: str = "") -> Rows:
    return Rows(table, _OF_ACCOUNTS.format(table=table, account=account, more=more))


def _history(account: str) -> tuple[Rows, ...]:
    return (
        _of_accounts("transactions", account, " AND t.removed_at IS NULL"),
        _of_accounts("transactions", account, " AND t.removed_at IS NOT NULL"),
        _of_accounts("balance_snapshots", account),
    )


REMAINS = (
    Rows(
        "transaction_staging",
        "SELECT t.ctid FROM sync_runs r JOIN transaction_staging t ON t.run_id = r.id"
        " WHERE r.item_id = :item_id",
    ),
    Rows(
        "exchange_claims",
        "SELECT t.ctid FROM exchange_claims t WHERE t.state <> 'claimed'"
        " AND (t.item_id = :item_id OR t.duplicate_of = :item_id)",
    ),
    Rows(
        "link_sessions",
        "SELECT t.ctid FROM link_sessions t WHERE t.user_id = :user_id"
        " AND (t.item_id = :item_id OR (t.linked_item_ids = ARRAY[:item_id] AND t.poll_at IS NULL))"
        " AND NOT EXISTS (SELECT FROM exchange_claims c WHERE c.link_session_id = t.id)",
    ),
    Rows(
        "webhook_deliveries", "SELECT t.ctid FROM webhook_deliveries t WHERE t.item_id = :item_id"
    ),
)
"""What an Item leaves behind besides its history: it is of no use once the Item is removed."""

MENTIONS = (
    Rows(
        "exchange_claims",
        "SELECT t.ctid FROM exchange_claims t WHERE t.duplicate_of = :item_id",
        "UPDATE {table} SET duplicate_of = NULL",
    ),
    Rows(
        "link_sessions",
        "SELECT t.ctid FROM link_sessions t WHERE t.user_id = :user_id"
        " AND :item_id = ANY(t.linked_item_ids)",
        "UPDATE {table} SET linked_item_ids = array_remove(linked_item_ids, :item_id)",
    ),
)
"""Where an Item is named by rows that stay, since another exchange is at work on them."""

ITEM_HISTORY = (
    *_history("true"),
    Rows("accounts", "SELECT t.ctid FROM accounts t WHERE t.item_id = :item_id"),
    Rows("sync_runs", "SELECT t.ctid FROM sync_runs t WHERE t.item_id = :item_id"),
    Rows("item_products", "SELECT t.ctid FROM item_products t WHERE t.item_id = :item_id"),
)
"""All of an Item but its own row, in the order in which nothing refers to what is gone."""

ACCOUNT_HISTORY = _history("a.account_id = :account_id")
"""All of an account but its own row."""

OF_USER = (
    Rows("exchange_claims", "SELECT t.ctid FROM exchange_claims t WHERE t.user_id = :user_id"),
    Rows("link_sessions", "SELECT t.ctid FROM link_sessions t WHERE t.user_id = :user_id"),
    Rows("api_keys", "SELECT t.ctid FROM api_keys t WHERE t.user_id = :user_id"),
)
"""What a person has besides Items."""


def delete_item(session: Session, item_id: str) -> int:
    """Delete the Item's own row; the caller holds it. Errors: `IntegrityError` if anything is its."""
    gone = text("DELETE FROM items WHERE item_id = :item_id AND removed_at IS NOT NULL")
    return rows_changed(session, gone, {"item_id": item_id})


def delete_account(session: Session, account_id: str) -> int:
    """Delete the account's own row. Errors: `IntegrityError` if anything is its."""
    gone = text("DELETE FROM accounts WHERE account_id = :account_id")
    return rows_changed(session, gone, {"account_id": account_id})

"""What the confined role may do with which table: no more than the routes of a user's key need.

Which rows of them it sees, row-level security says (migrations/versions/0007_two_walls.py).
"""

from __future__ import annotations

from typing import LiteralString

Columns = tuple[LiteralString, ...]

ALL: Columns = ()
"""Stands for all columns of a table."""

CONFINED: dict[LiteralString, dict[LiteralString, Columns]] = {
    "users": {"SELECT": ALL, "UPDATE": ("created_at",)},  # which locks the row, and no more
    "items": {
        "SELECT": ALL,
        "INSERT": ALL,
        "UPDATE": (
            "access_token_hash",
            "access_token_sealed",
            "days_requested",
            "disconnect_at",
            "disconnect_reason",
            "institution_id",
            "new_accounts_at",
            "repaired_at",
            "run_id",
            "token_generation",
        ),
    },
    "item_products": {
        "SELECT": ALL,
        "INSERT": ALL,
        "UPDATE": (
            "error_code",
            "error_message",
            "failures",
            "next_try_at",
            "request_id",
            "state",
        ),
    },
    "accounts": {"SELECT": ALL, "INSERT": ALL},
    "transactions": {"SELECT": ALL},
    "sync_runs": {
        "SELECT": ALL,
        "INSERT": ALL,
        "UPDATE": (
            "allow_removals",
            "asks_item",
            "error_code",
            "error_message",
            "finished_at",
            "request_id",
            "status",
        ),
    },
    "link_sessions": {
        "SELECT": ALL,
        "INSERT": ALL,
        "UPDATE": (
            "exchanged_at",
            "exited_at",
            "finished_at",
            "link_token_sealed",
            "linked_item_ids",
            "lost",
            "poll_at",
        ),
    },
    "exchange_claims": {
        "SELECT": ALL,
        "INSERT": ALL,
        "UPDATE": (
            "attempts",
            "duplicate_of",
            "exchanged_at",
            "item_id",
            "lease_until",
            "public_token_sealed",
            "state",
        ),
        "DELETE": ALL,
    },
    # What came for an Item before we held it is handled in the commit that stores the Item.
    "webhook_deliveries": {
        "SELECT": ALL,
        "UPDATE": ("attempts", "handled_at", "next_try_at", "outcome"),
    },
    "erasures": {"SELECT": ALL},
    "audit_entries": {
        "INSERT": ("action", "actor", "at", "facts", "id", "item_id", "mac", "user_id"),
    },
}
SHARED: dict[LiteralString, dict[LiteralString, Columns]] = {
    # Of no person. Link may name a bank that we don't know yet.
    "institutions": {"SELECT": ALL, "INSERT": ("institution_id", "name")},
}
CLOSED: tuple[LiteralString, ...] = (
    "api_keys",
    "balance_snapshots",
    "chores",
    "console_sessions",
    "counters",
    "pass_key",
    "plaid_budgets",
    "processes",
    "sealing_keys",
    "self_test_keys",
    "sign_in_codes",
    "transaction_staging",
    "webhook_refusals",
)
"""The tables that no request of a user's key has anything to do with: it may not even look."""

FUNCTIONS: tuple[LiteralString, ...] = (
    "confined_user()",
    "confined_items()",
    "holds_item(text)",
    "request_run(text, text, timestamptz, boolean, boolean, boolean)",
    "defer_unless_waiting(text, text, text, text, jsonb)",
)

Grant = tuple[LiteralString, LiteralString | None, LiteralString]
"""A table, a column of it or None for all of them, and the privilege."""


def wanted() -> set[Grant]:
    """Return every grant that the confined role has, and it has no other."""
    return {
        (table, column, privilege)
        for table, privileges in (CONFINED | SHARED).items()
        for privilege, columns in privileges.items()
        for column in (columns or (None,))
    }


def statements() -> list[LiteralString]:
    """Return the grants as SQL, where `{role}` and `{schema}` are to be filled in."""
    return [
        "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        *(
            _statement(table, privilege, columns)
            for table, privileges in (CONFINED | SHARED).items()
            for privilege, columns in privileges.items()
        ),
        *("GRANT EXECUTE ON FUNCTION {schema}." + each + " TO {role}" for each in FUNCTIONS),
    ]


def _statement(table: LiteralString, privilege: LiteralString, columns: Columns) -> LiteralString:
    of = " (" + ", ".join(columns) + ")" if columns else ""
    return "GRANT " + privilege + of + " ON {schema}." + table + " TO {role}"

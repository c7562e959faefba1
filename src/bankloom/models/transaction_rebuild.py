"""What a rebuild tombstones: rows of ours that Plaid's whole history, as staged, does not have.

A row counts as missing if its account is open, the rebuild returned a row of that account, and the
row is not older than the oldest one returned. See docs/dataflow/plaid_ingestion_pipeline.md#rebuild.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.models.base import rows_changed

if TYPE_CHECKING:
    import datetime as dt
    import uuid

    from sqlalchemy.orm import Session


def missing_since_rebuild(session: Session, run_id: uuid.UUID, item_id: str) -> tuple[int, int]:
    """Return (rows a rebuild would tombstone, living rows of the Item)."""
    params = {"run_id": run_id, "item_id": item_id}
    session.execute(_PREFER_SETS)
    missing, living = session.execute(_COUNT_MISSING, params).one()
    return missing, living


def tombstone_missing(session: Session, run_id: uuid.UUID, item_id: str, at: dt.datetime) -> int:
    """Tombstone what a rebuild did not return; see `missing_since_rebuild`. Call before the apply."""
    params = {"run_id": run_id, "item_id": item_id, "at": at}
    return rows_changed(session, _TOMBSTONE_MISSING, params)


# Fresh staging has no statistics, so the planner is told what it can't know: here two large sets are
# compared as a whole.
_PREFER_SETS = text("SELECT set_config('enable_nestloop', 'off', true)")
_MISSING = """
    FROM (
        SELECT account_id, min(date) AS oldest FROM transaction_staging
        WHERE run_id = :run_id AND op < 2 GROUP BY account_id
    ) returned
    JOIN accounts a ON a.account_id = returned.account_id AND a.closed_at IS NULL
    JOIN transactions t ON t.account_id = a.account_id
    WHERE t.item_id = :item_id AND t.removed_at IS NULL AND t.date >= returned.oldest
      AND NOT EXISTS (
        SELECT FROM transaction_staging s
        WHERE s.run_id = :run_id AND s.op < 2 AND s.transaction_id = t.transaction_id
      )
"""
_COUNT_MISSING = text(f"""
    SELECT (SELECT count(*) {_MISSING}),
           (SELECT count(*) FROM transactions WHERE item_id = :item_id AND removed_at IS NULL)
""")  # noqa: S608 - made of the constant above
_TOMBSTONE_MISSING = text(f"""
    UPDATE transactions SET removed_at = :at, updated_at = :at
    WHERE transaction_id IN (SELECT t.transaction_id {_MISSING})
""")  # noqa: S608 - made of the constant above

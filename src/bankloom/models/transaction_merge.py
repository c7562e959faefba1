"""The merge: what a run has staged becomes transactions, in one commit, however many rows it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

from bankloom.models import transaction_staging as staging
from bankloom.models.base import rows_changed

if TYPE_CHECKING:
    import datetime as dt
    import uuid

    from sqlalchemy.orm import Session

LINEAGE_ROUNDS_MAX = 10
"""A chain of pending ids longer than this inside one update would be no bank's doing."""


class Applied(NamedTuple):
    """What an apply changed, in distinct transactions."""

    added: int
    modified: int
    removed: int


def apply_staged(session: Session, run_id: uuid.UUID, at: dt.datetime) -> Applied:
    """Merge the run's staged rows into `transactions` and empty its staging.

    The later page wins. The number of statements does not depend on the number of rows.
    """
    params = {"run_id": run_id, "at": at}
    session.execute(_PREFER_INDEXES)
    session.execute(_DROP_OVERTAKEN, params)
    removed = rows_changed(session, _TOMBSTONE, params)
    modified = rows_changed(session, _CHANGE, params)
    added = rows_changed(session, _ADD, params)
    _join_lineages(session, params)
    staging.empty(session, run_id)
    return Applied(added, modified, removed)


def _join_lineages(session: Session, params: dict[str, Any]) -> None:
    """Hand a lineage down where a pending row and its successor came in the same update."""
    for _ in range(LINEAGE_ROUNDS_MAX):
        if not rows_changed(session, _INHERIT, params):
            return


# Fresh staging has no statistics, so the planner is told what it can't know: a merge looks each row
# up by its key.
_PREFER_INDEXES = text(
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_nestloop', 'on', true)"
)
_DROP_OVERTAKEN = text("""
    DELETE FROM transaction_staging s
    USING (
        SELECT ctid, row_number() OVER (
            PARTITION BY transaction_id ORDER BY page DESC, op DESC, row DESC
        ) AS place
        FROM transaction_staging WHERE run_id = :run_id
    ) ranked
    WHERE ranked.place > 1 AND s.ctid = ranked.ctid
""")
_TOMBSTONE = text("""
    UPDATE transactions t SET removed_at = :at, updated_at = :at
    FROM transaction_staging s, sync_runs r
    WHERE s.run_id = :run_id AND s.op = 2 AND r.id = s.run_id
      AND t.transaction_id = s.transaction_id AND t.item_id = r.item_id AND t.removed_at IS NULL
""")
# Two statements take a little less time than one INSERT … ON CONFLICT, which inserts each new row
# on trial and then confirms it. The run holds its Item, so no twin inserts these rows meanwhile.
_CHANGE = text(f"""
    UPDATE transactions t SET
        {", ".join(f"{name} = s.{name}" for name in staging.FACTS)}, updated_at = :at, removed_at = NULL
    FROM transaction_staging s, sync_runs r
    WHERE s.run_id = :run_id AND s.op < 2 AND r.id = s.run_id
      AND t.transaction_id = s.transaction_id AND t.item_id = r.item_id
      AND (t.payload <> s.payload OR t.removed_at IS NOT NULL)
""")  # noqa: S608 - column names of our own
_ADD = text(f"""
    INSERT INTO transactions (
        transaction_id, {", ".join(staging.FACTS)}, item_id, user_id, lineage_id, created_at, updated_at
    )
    SELECT s.transaction_id, {", ".join(f"s.{name}" for name in staging.FACTS)}, i.item_id, i.user_id,
        CASE WHEN s.pending_transaction_id IS NULL THEN s.transaction_id
             ELSE COALESCE(
                (SELECT p.lineage_id FROM transactions p
                 WHERE p.transaction_id = s.pending_transaction_id),
                s.pending_transaction_id) END,
        :at, :at
    FROM transaction_staging s
    JOIN sync_runs r ON r.id = s.run_id
    JOIN items i ON i.item_id = r.item_id
    WHERE s.run_id = :run_id AND s.op < 2
      AND NOT EXISTS (SELECT FROM transactions t WHERE t.transaction_id = s.transaction_id)
""")  # noqa: S608 - column names of our own
_INHERIT = text("""
    UPDATE transactions t SET lineage_id = p.lineage_id
    FROM transaction_staging s, transactions p
    WHERE s.run_id = :run_id AND s.op < 2 AND s.pending_transaction_id IS NOT NULL
      AND t.transaction_id = s.transaction_id
      AND p.transaction_id = s.pending_transaction_id
      AND t.lineage_id <> p.lineage_id
""")

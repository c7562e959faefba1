"""Staging for one update of an Item's transactions: pages go in one by one, come out all at once.

The table is logged: an unlogged one is emptied by a database crash, and the pages pulled after it
would be applied alone.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import Index, SmallInteger, delete, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg
    from sqlalchemy import CursorResult, Table, TextClause
    from sqlalchemy.orm import Session

ADDED, MODIFIED, REMOVED = 0, 1, 2
"""In this order because within one page removed beats modified beats added."""

LINEAGE_ROUNDS_MAX = 10
"""A chain of pending ids longer than this inside one update would be no bank's doing."""


class StagedTransaction(Base):
    """One row of one page of one run. Only the ids are set where `op` is REMOVED."""

    __tablename__ = "transaction_staging"
    __table_args__ = (
        # The few rows that ask for more than a merge are found without reading all the others.
        Index(
            "transaction_staging_special_idx",
            "run_id",
            postgresql_where=text("op = 2 OR pending_transaction_id IS NOT NULL"),
        ),
    )

    run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    op: Mapped[int] = mapped_column(SmallInteger)
    transaction_id: Mapped[str]
    account_id: Mapped[str]
    pending_transaction_id: Mapped[str | None]
    amount: Mapped[Decimal | None]
    iso_currency_code: Mapped[str | None]
    unofficial_currency_code: Mapped[str | None]
    date: Mapped[dt.date | None]
    authorized_date: Mapped[dt.date | None]
    name: Mapped[str | None]
    merchant_name: Mapped[str | None]
    pending: Mapped[bool | None]
    payment_channel: Mapped[str | None]
    category_primary: Mapped[str | None]
    category_detailed: Mapped[str | None]
    payload: Mapped[bytes | None]


class Applied(NamedTuple):
    """What an apply changed, in distinct transactions."""

    added: int
    modified: int
    removed: int


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it so
_STAGED = cast("Table", StagedTransaction.__table__)
_COLUMNS = [column.name for column in _STAGED.columns]
_TYPES = [str(column.type.compile(dialect=_DIALECT)).lower() for column in _STAGED.columns]
_FACTS = _COLUMNS[_COLUMNS.index("account_id") :]
OP_AT, ACCOUNT_ID_AT = _COLUMNS.index("op"), _COLUMNS.index("account_id")
NO_FACTS = (None,) * (len(_FACTS) - 1)
"""What follows the two ids in the row of a removed transaction."""

_COPY = f"COPY {_STAGED.fullname} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_DO_NOT_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit TO off")


def stage(session: Session, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy rows, each in the order of this table's columns, into staging.

    This commit does not wait for the disk: should a crash of the server take it back, the apply
    finds the page missing (`staged_counts`) and the run starts again.
    """
    session.execute(_DO_NOT_WAIT_FOR_DISK)
    connection = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    with connection.cursor() as cursor:
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # in C, unlike its default
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)


def empty(session: Session, run_id: uuid.UUID) -> None:
    """Delete what the run has staged so far."""
    session.execute(delete(StagedTransaction).where(StagedTransaction.run_id == run_id))


def staged_counts(session: Session, run_id: uuid.UUID) -> list[int]:
    """Return how many rows are staged of page 1, 2, 3 … of the run."""
    of_run = StagedTransaction.run_id == run_id
    pages = select(func.count()).where(of_run).group_by(StagedTransaction.page)
    return list(session.scalars(pages.order_by(StagedTransaction.page)))


def apply_staged(session: Session, run_id: uuid.UUID, at: dt.datetime) -> Applied:
    """Merge the run's staged rows into `transactions` and empty its staging.

    The later page wins. The number of statements does not depend on the number of rows.
    """
    params = {"run_id": run_id, "at": at}
    session.execute(_PREFER_INDEXES)
    session.execute(_DROP_OVERTAKEN, params)
    removed = _changed(session, _TOMBSTONE, params)
    modified = _changed(session, _CHANGE, params)
    added = _changed(session, _ADD, params)
    _join_lineages(session, params)
    empty(session, run_id)
    return Applied(added, modified, removed)


def _changed(session: Session, statement: TextClause, params: dict[str, Any]) -> int:
    """Execute and return the number of rows that the statement changed."""
    return cast("CursorResult[Any]", session.execute(statement, params)).rowcount


def _join_lineages(session: Session, params: dict[str, Any]) -> None:
    """Hand a lineage down where a pending row and its successor came in the same update."""
    for _ in range(LINEAGE_ROUNDS_MAX):
        if not _changed(session, _INHERIT, params):
            return


def missing_since_rebuild(session: Session, run_id: uuid.UUID, item_id: str) -> tuple[int, int]:
    """Return (rows a rebuild would tombstone, living rows of the Item)."""
    params = {"run_id": run_id, "item_id": item_id}
    session.execute(_PREFER_SETS)
    missing, living = session.execute(_COUNT_MISSING, params).one()
    return missing, living


def tombstone_missing(session: Session, run_id: uuid.UUID, item_id: str, at: dt.datetime) -> int:
    """Tombstone what a rebuild did not return; see `missing_since_rebuild`. Call before the apply."""
    params = {"run_id": run_id, "item_id": item_id, "at": at}
    return _changed(session, _TOMBSTONE_MISSING, params)


def sweep(session: Session) -> None:
    """Delete what runs left behind that are over; steps from run to run, not from row to row."""
    session.execute(_SWEEP)


# Two statements take two thirds of the time of one INSERT … ON CONFLICT, which inserts each new row
# on trial and then confirms it. The run holds its Item, so no twin inserts these rows meanwhile.
#
# Fresh staging has no statistics, so the planner is told what it can't know: an apply looks each
# row up by its key, and a rebuild's check compares two large sets as a whole.
_PREFER_INDEXES = text(
    "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('enable_nestloop', 'on', true)"
)
_PREFER_SETS = text("SELECT set_config('enable_nestloop', 'off', true)")
_SWEEP = text("""
    WITH RECURSIVE staged(run_id) AS (
        (SELECT run_id FROM transaction_staging ORDER BY run_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.run_id FROM transaction_staging s
                WHERE s.run_id > staged.run_id ORDER BY s.run_id LIMIT 1)
        FROM staged WHERE staged.run_id IS NOT NULL
    )
    DELETE FROM transaction_staging WHERE run_id IN (
        SELECT staged.run_id FROM staged LEFT JOIN sync_runs r ON r.id = staged.run_id
        WHERE r.status IS DISTINCT FROM 'running'
    )
""")
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
_CHANGE = text(f"""
    UPDATE transactions t SET
        {", ".join(f"{name} = s.{name}" for name in _FACTS)}, updated_at = :at, removed_at = NULL
    FROM transaction_staging s, sync_runs r
    WHERE s.run_id = :run_id AND s.op < 2 AND r.id = s.run_id
      AND t.transaction_id = s.transaction_id AND t.item_id = r.item_id
      AND (t.payload <> s.payload OR t.removed_at IS NOT NULL)
""")  # noqa: S608 - column names of our own
_ADD = text(f"""
    INSERT INTO transactions (
        transaction_id, {", ".join(_FACTS)}, item_id, user_id, lineage_id, created_at, updated_at
    )
    SELECT s.transaction_id, {", ".join(f"s.{name}" for name in _FACTS)}, i.item_id, i.user_id,
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

"""Staging for one update of an Item's transactions: pages go in one by one, come out all at once.

They come out by `transaction_merge.py`; what a rebuild takes away is found by `transaction_rebuild.py`.
The table is logged: an unlogged one is emptied by a database crash, and the pages pulled after it
would be applied alone.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import Index, SmallInteger, delete, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg
    from sqlalchemy.orm import Session

ADDED, MODIFIED, REMOVED = 0, 1, 2
"""In this order because within one page removed beats modified beats added."""


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


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it so
_STAGED = table_of(StagedTransaction)
_COLUMNS = [column.name for column in _STAGED.columns]
_TYPES = [str(column.type.compile(dialect=_DIALECT)).lower() for column in _STAGED.columns]
FACTS = _COLUMNS[_COLUMNS.index("account_id") :]
"""The columns that a transaction has under the same name."""

OP_AT, ACCOUNT_ID_AT = _COLUMNS.index("op"), _COLUMNS.index("account_id")
NO_FACTS = (None,) * (len(FACTS) - 1)
"""What follows the two ids in the row of a removed transaction."""

_COPY = f"COPY {_STAGED.fullname} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_DO_NOT_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit TO off")


def stage(session: Session, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy rows, each in the order of this table's columns, into staging.

    This commit does not wait for the disk: should a crash of the server take it back, the apply
    finds the page missing (`is_whole`) and the run starts again.
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


def is_whole(session: Session, run_id: uuid.UUID, page_rows: Sequence[int]) -> bool:
    """Say whether just what was staged is there: so many rows of page 0, 1, 2 … of the run.

    A page is one commit, so its last row stands for it; reading them all would push out of memory
    what everybody else works with.
    """
    staged = {"run_id": run_id, "page_rows": [*page_rows, 0]}
    return bool(session.execute(_IS_WHOLE, staged).scalar_one())


_IS_WHOLE = text("""
    SELECT bool_and(
        (rows = 0 OR EXISTS (
            SELECT FROM transaction_staging WHERE run_id = :run_id AND page = nth - 1 AND row = rows - 1
        ))
        AND NOT EXISTS (
            SELECT FROM transaction_staging WHERE run_id = :run_id AND page = nth - 1 AND row = rows
        )
    )
    FROM unnest(CAST(:page_rows AS integer[])) WITH ORDINALITY AS expected(rows, nth)
""")


def sweep(session: Session) -> None:
    """Delete what runs left behind that are over; steps from run to run, not from row to row."""
    session.execute(_SWEEP)


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

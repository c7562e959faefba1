"""The floor: the least that fetches the same bytes and leaves the same columns committed.

It does what no real service could stop at. One connection asks for a page, msgspec reads it, a
binary COPY writes it into a temporary table, one INSERT ... ON CONFLICT merges it, and the page
is committed. The table has the columns of ours, raw payload included, and its primary key alone.

Left out, and in ours: an update that is seen as a whole or not at all (so no logged staging, and
half of what we write), an id on two pages, removed rows, lineages, the check that the run still
holds the Item, accounts and their balances, the job's own rows, foreign keys and the two indexes
that listings read.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg.types.string import BytesBinaryDumper

from bankloom.services.plaid_messages import PlaidTransaction

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = {
    "transaction_id": "text",
    "account_id": "text",
    "item_id": "text",
    "user_id": "uuid",
    "lineage_id": "text",
    "pending_transaction_id": "text",
    "amount": "numeric",
    "iso_currency_code": "text",
    "unofficial_currency_code": "text",
    "date": "date",
    "authorized_date": "date",
    "name": "text",
    "merchant_name": "text",
    "pending": "boolean",
    "payment_channel": "text",
    "category_primary": "text",
    "category_detailed": "text",
    "payload": "bytea",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "removed_at": "timestamptz",
}
_DEFINED = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
_CREATE = f"""
    CREATE TABLE floor ({_DEFINED}, PRIMARY KEY (transaction_id));
    CREATE TEMPORARY TABLE page ({_DEFINED}) ON COMMIT DELETE ROWS;
"""
_MERGE = f"""
    INSERT INTO floor SELECT * FROM page ON CONFLICT (transaction_id) DO UPDATE SET
    {", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name != "created_at")}
"""  # noqa: S608 - column names of our own


class _Page(msgspec.Struct):
    added: list[msgspec.Raw]
    next_cursor: str
    has_more: bool


def ingest(pages_url: str, database_url: str, access_token: str) -> float:
    """Fetch and store every page; return the seconds from the first request to the last commit."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET search_path TO public")
        connection.execute(_CREATE)
        connection.commit()
        started = time.perf_counter()
        for rows in _pages(pages_url, access_token):
            _store(connection, rows)
        return time.perf_counter() - started


def _pages(url: str, access_token: str) -> Iterator[list[msgspec.Raw]]:
    http_connection = http.client.HTTPConnection(url.removeprefix("http://"))
    page = _Page([], "", has_more=True)
    while page.has_more:
        body = json.dumps({"access_token": access_token, "cursor": page.next_cursor, "count": 500})
        http_connection.request("POST", "/transactions/sync", body)
        page = msgspec.json.decode(http_connection.getresponse().read(), type=_Page)
        yield page.added
    http_connection.close()


def _store(connection: psycopg.Connection[Any], rows: list[msgspec.Raw]) -> None:
    at = dt.datetime.now(dt.UTC)
    with connection.cursor() as cursor:
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # in C, unlike its default
        with cursor.copy("COPY page FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(list(_COLUMNS.values()))
            for raw in rows:
                copy.write_row(_columns(raw, at))
        cursor.execute(_MERGE)
    connection.commit()


_USER = uuid.uuid4()
_transaction = msgspec.json.Decoder(PlaidTransaction)


def _columns(raw: msgspec.Raw, at: dt.datetime) -> tuple[Any, ...]:
    row = _transaction.decode(raw)
    category = row.personal_finance_category
    return (
        row.transaction_id,
        row.account_id,
        "the-item",
        _USER,
        row.pending_transaction_id or row.transaction_id,
        row.pending_transaction_id,
        row.amount,
        row.iso_currency_code,
        row.unofficial_currency_code,
        row.date,
        row.authorized_date,
        row.name,
        row.merchant_name,
        row.pending,
        row.payment_channel,
        category.primary if category else None,
        category.detailed if category else None,
        bytes(raw),
        at,
        at,
        None,
    )

"""Counts and hashes of every table, computed in the server: equal tables have equal ones anywhere.

A table's hash is the sum of its rows' hashes, so it does not depend on their order, and nothing is
sorted or sent. A row's is the SHA-256 of its text; `copy_session` fixes how a server writes that.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from bankloom.services.copies import copy_session

if TYPE_CHECKING:
    from bankloom.services.copies.copy_session import Connection

_HALF = 2**64


class TableHash(NamedTuple):
    """How many rows, and the hash of them all (128 bits, hex)."""

    rows: int
    hash: str


def of(connection: Connection) -> dict[str, TableHash]:
    """Return the count and hash of each table, by `schema.name`, and of all places of `sequences`."""
    names = copy_session.tables(connection)
    hashes = {".".join(name): _of_table(connection, name) for name in names}
    return {**hashes, "sequences": _of_sequences(connection)}


_TABLE = sql.SQL("""
    SELECT count(*),
           coalesce(sum(('x' || encode(substring(digest FROM 1 FOR 8), 'hex'))::bit(64)::bigint), 0),
           coalesce(sum(('x' || encode(substring(digest FROM 9 FOR 8), 'hex'))::bit(64)::bigint), 0)
    FROM (SELECT sha256(convert_to((whole_row.*)::text, 'UTF8')) AS digest
          FROM {} AS whole_row) AS digests
""")


def _of_table(connection: Connection, name: tuple[str, str]) -> TableHash:
    query = _TABLE.format(sql.Identifier(*name))
    rows, first, second = connection.execute(query).fetchone() or (0, 0, 0)
    return TableHash(rows, f"{int(first) % _HALF:016x}{int(second) % _HALF:016x}")


def _of_sequences(connection: Connection) -> TableHash:
    query = """
        SELECT schemaname, sequencename, coalesce(last_value, 0)
        FROM pg_sequences WHERE schemaname = ANY(%s) ORDER BY 1, 2
    """
    places = connection.execute(query, [list(copy_session.SCHEMAS)]).fetchall()
    return TableHash(len(places), hashlib.sha256(repr(places).encode()).hexdigest()[:32])

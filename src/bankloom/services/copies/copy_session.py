"""Opens a database for copies: no limit of time, and rows as text that every server writes alike."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from bankloom.core.copy_errors import DatabaseInUseError, DatabaseUnreachableError
from bankloom.core.db import CONNECT_SECONDS, ENGINE_SCHEMA, SCHEMA, SCHEMA_LOCK, VIEWS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.address import Address

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMAS = (SCHEMA, ENGINE_SCHEMA, VIEWS_SCHEMA)
APPLICATION = "bankloom db"
_NO_LIMITS = dict.fromkeys(
    (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "transaction_timeout",
    ),
    "0",
)
_AS_TEXT = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "",
    "row_security": "off",  # an error where a row would be hidden, not a copy without it
}
_SET_WHERE_KNOWN = "SELECT set_config(name, %s, false) FROM pg_settings WHERE lower(name) = %s"


@contextmanager
def opened(address: Address) -> Iterator[Connection]:
    """Give a connection that commits each statement. Errors: `DatabaseUnreachableError`."""
    own = address.but(application_name=APPLICATION, connect_timeout=CONNECT_SECONDS)
    try:
        connection = psycopg.connect(own.conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        said = str(error).strip().partition("\n")[0]
        raise DatabaseUnreachableError(f"The database can't be reached: {said}") from error
    with connection:
        for name, value in {**_NO_LIMITS, **_AS_TEXT}.items():  # 15 knows no transaction_timeout
            connection.execute(_SET_WHERE_KNOWN, [value, name])
        yield connection


def identity(connection: Connection) -> tuple[Any, ...]:
    """Return what no other database has, by whatever address it is reached."""
    query = "SELECT pg_postmaster_start_time(), current_database()"
    return connection.execute(query).fetchone() or ()


def keep_starts_out(connection: Connection) -> None:
    """Let no service begin to use the database while this connection is open.

    A start waits for this lock before it changes or reads anything. Errors: `DatabaseInUseError`.
    """
    if connection.execute("SELECT pg_try_advisory_lock(%s)", [SCHEMA_LOCK]).fetchone() != (True,):
        raise DatabaseInUseError(
            "Another process is just starting over this database, or copies it. Repeat this when it "
            "is done. Nothing was changed."
        )


def tables(connection: Connection) -> list[tuple[str, str]]:
    """Return (schema, name) of every table of ours, in order."""
    query = """
        SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE nspname = ANY(%s) AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1, 2
    """
    return [(schema, name) for schema, name in connection.execute(query, [list(SCHEMAS)])]


def identifiers(names: list[tuple[str, str]]) -> sql.Composed:
    """Return a list of tables as SQL writes it."""
    return sql.SQL(", ").join(sql.Identifier(*name) for name in names)

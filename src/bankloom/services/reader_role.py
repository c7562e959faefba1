"""The read-only role: people and reports see the stable views of schema `bank`, and nothing sealed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg import sql

from bankloom.core import data_dir, private_files, scram
from bankloom.core.db import CONNECT_SECONDS, VIEWS_SCHEMA
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.core.address import Address
    from bankloom.core.db import Database

PASSWORD_FILE = "reader-password"  # noqa: S105 - the file's name
NAME_BYTES_MAX = 63  # PostgreSQL cuts longer names off
_SUFFIX = "_reader"
_LOCK = 0x62616E6B72656164  # "bankread": one process at a time looks, makes and grants


def reader_address(database: Database, folder: Path, *, reset: bool = False) -> Address:
    """Return the address of the read-only role, which is made at the first call.

    Its password is in a file of the data folder. A role that is there keeps the password it has,
    because a URL handed out elsewhere relies on it, unless `reset` asks for a new one. Errors:
    `ConfigurationError` where the password is not known here, or with the statements for an
    administrator, where we may not make the role. Once they were run, this finds it.
    """
    with data_dir.opened(folder), database.session() as session:
        own = session.connection().connection.driver_connection
        connection = cast("psycopg.Connection[Any]", own)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        reader = _reader_of(database.address, connection.info.dbname)
        file = folder / PASSWORD_FILE
        if not _exists(connection, reader):
            reader = reader.but(password=_password(file))
            _make(connection, reader, _CREATE + _ALTER)
        elif reset:
            file.unlink(missing_ok=True)
            reader = reader.but(password=_password(file))
            _make(connection, reader, _ALTER)
        else:
            reader = _with_known_password(reader, file)
        _grant_what_is_missing(connection, reader)
        return reader


_CREATE: tuple[LiteralString, ...] = ("CREATE ROLE {role}",)
_ALTER: tuple[LiteralString, ...] = (
    "ALTER ROLE {role} LOGIN PASSWORD {verifier}",
    "ALTER ROLE {role} IN DATABASE {database} SET search_path = {views}",
    "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on",
)
_GRANTS: tuple[LiteralString, ...] = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {views} TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {views} TO {role}",
)
_HAS_ALL_GRANTS = """
    SELECT has_database_privilege(%(role)s, current_database(), 'CONNECT')
       AND has_schema_privilege(%(role)s, %(views)s, 'USAGE')
       AND (SELECT bool_and(has_table_privilege(%(role)s, oid, 'SELECT'))
              FROM pg_class
             WHERE relnamespace = %(views)s::regnamespace AND relkind IN ('r', 'p', 'v', 'm'))
"""


def _reader_of(own: Address, database: str) -> Address:
    """Return our own address, as the role; the database is named even if our URL leaves it open."""
    stem = database.encode()[: NAME_BYTES_MAX - len(_SUFFIX)].decode(errors="ignore")
    reader = own.but(user=stem + _SUFFIX, dbname=database, password=None)
    if reader.parameters.get("target_session_attrs") == "read-write":
        return reader.but(target_session_attrs="primary")  # the same, for sessions that only read
    return reader


def _exists(connection: psycopg.Connection, reader: Address) -> bool:
    query = "SELECT FROM pg_roles WHERE rolname = %s"
    return connection.execute(query, [reader.parameters["user"]]).fetchone() is not None


def _password(file: Path) -> str:
    return private_files.read_or_create(file, secrets.token_urlsafe(24))


def _with_known_password(reader: Address, file: Path) -> Address:
    said = "there is no such file here"
    if file.exists():
        known = reader.but(password=file.read_text("ascii", "replace").strip())
        try:
            psycopg.connect(known.but(connect_timeout=CONNECT_SECONDS).conninfo).close()
        except psycopg.OperationalError as error:
            said = str(error).strip().partition("\n")[0]
        else:
            return known
    raise ConfigurationError(
        f"The role {reader.parameters['user']} is there, but {file} does not open it ({said}). Its "
        "password was set elsewhere: copy that file from the data folder that has it. Or set a new "
        "one with `bankloom db url --reset`; URLs that were handed out before then stop working."
    )


def _make(
    connection: psycopg.Connection, reader: Address, texts: tuple[LiteralString, ...]
) -> None:
    statements = _composed(texts, connection, reader)
    try:
        for statement in statements:
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(_by_hand(statements)) from error


def _grant_what_is_missing(connection: psycopg.Connection, reader: Address) -> None:
    names = {"role": reader.parameters["user"], "views": VIEWS_SCHEMA}
    if connection.execute(_HAS_ALL_GRANTS, names).fetchone() == (True,):
        return
    for statement in _composed(_GRANTS, connection, reader):
        connection.execute(statement)


def _composed(
    texts: tuple[LiteralString, ...], connection: psycopg.Connection, reader: Address
) -> list[sql.Composed]:
    role, password = reader.parameters["user"], reader.parameters.get("password", "")
    names = {
        "role": sql.Identifier(role),
        "verifier": sql.Literal(scram.verifier(connection, role, password)),
        "database": sql.Identifier(reader.parameters["dbname"]),
        "views": sql.Identifier(VIEWS_SCHEMA),
    }
    return [sql.SQL(text).format(**names) for text in texts]


def _by_hand(statements: list[sql.Composed]) -> str:
    lines = "".join(f"\n  {statement.as_string()};" for statement in statements)
    return (
        "This database role may not make or change the read-only role. Let an administrator run "
        f"this once, then run `bankloom db url` (without --reset):{lines}"
    )

"""The read-only role: people and reports see the stable views of schema `bank`, and nothing sealed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import sql

from bankloom.core import private_files
from bankloom.core.db import VIEWS_SCHEMA
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from bankloom.services.runtime import Runtime

PASSWORD_FILE = "reader-password"  # noqa: S105 - the file's name


def reader_url(runtime: Runtime) -> URL:
    """Return the URL of the read-only role, which is made or brought up to date first.

    Errors: `ConfigurationError` with the statements for an administrator, where we may not make
    it. Once they were run, this finds the role.
    """
    data_dir = runtime.settings.data_dir
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    password = private_files.read_or_create(data_dir / PASSWORD_FILE, secrets.token_urlsafe(24))
    own = runtime.database.engine.url
    database = own.database or ""
    reader = own.set(drivername="postgresql", username=f"{database}_reader", password=password)
    making = _composed(_ROLE, reader, database)
    try:
        _make_role(runtime, reader, making)
    except psycopg.errors.InsufficientPrivilege as error:
        if not _opens(reader):
            raise ConfigurationError(_by_hand(making)) from error
    with runtime.database.session() as session:
        cursor = session.connection().connection.cursor()
        for statement in _composed(_GRANTS, reader, database):
            cursor.execute(statement)
    return reader


_ROLE = (
    "CREATE ROLE {role}",
    "ALTER ROLE {role} LOGIN PASSWORD {password}",
    "ALTER ROLE {role} IN DATABASE {database} SET search_path = {views}",
    "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on",
)
_GRANTS = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {views} TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {views} TO {role}",
)


def _composed(texts: tuple[LiteralString, ...], reader: URL, database: str) -> list[sql.Composed]:
    names = {
        "role": sql.Identifier(reader.username or ""),
        "password": sql.Literal(reader.password),
        "database": sql.Identifier(database),
        "views": sql.Identifier(VIEWS_SCHEMA),
    }
    return [sql.SQL(text).format(**names) for text in texts]


def _make_role(runtime: Runtime, reader: URL, making: list[sql.Composed]) -> None:
    with runtime.database.session() as session:
        cursor = session.connection().connection.cursor()
        query = "SELECT 1 FROM pg_roles WHERE rolname = %s"
        known = cursor.execute(query, (reader.username,)).fetchone()
        for statement in making[1:] if known else making:
            cursor.execute(statement)


def _opens(reader: URL) -> bool:
    try:
        psycopg.connect(reader.render_as_string(hide_password=False)).close()
    except psycopg.OperationalError:
        return False
    return True


def _by_hand(making: list[sql.Composed]) -> str:
    statements = "".join(f"\n  {statement.as_string()};" for statement in making)
    return (
        "This database role may not make other roles. Let an administrator run this once, then "
        f"repeat the command:{statements}"
    )

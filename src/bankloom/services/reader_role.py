"""The read-only role: people and reports see the stable views of schema `bank`, and nothing sealed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from bankloom.core import private_files
from bankloom.core.db import VIEWS_SCHEMA
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from bankloom.services.runtime import Runtime

PASSWORD_FILE = "reader-password"  # noqa: S105 - the file's name


def reader_url(runtime: Runtime) -> URL:
    """Return the URL of the read-only role, which is made or brought up to date first.

    Errors: `ConfigurationError` with the statements for an administrator, where we may not.
    """
    data_dir = runtime.settings.data_dir
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    password = private_files.read_or_create(data_dir / PASSWORD_FILE, secrets.token_urlsafe(24))
    own = runtime.database.engine.url
    role = f"{own.database}_reader"
    statements = _statements(role, password, own.database or "")
    try:
        with runtime.database.session() as session:
            cursor = session.connection().connection.cursor()
            known = cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            for statement in statements[1:] if known else statements:
                cursor.execute(statement)
    except (DBAPIError, psycopg.errors.InsufficientPrivilege) as error:
        raise ConfigurationError(_by_hand(role, own.database or "")) from error
    return own.set(drivername="postgresql", username=role, password=password)


def _statements(role: str, password: str, database: str) -> list[sql.Composed]:
    names = {
        "role": sql.Identifier(role),
        "password": sql.Literal(password),
        "database": sql.Identifier(database),
        "views": sql.Identifier(VIEWS_SCHEMA),
    }
    texts = (
        "CREATE ROLE {role}",
        "ALTER ROLE {role} LOGIN PASSWORD {password}",
        "ALTER ROLE {role} IN DATABASE {database} SET search_path = {views}",
        "ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA {views} TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA {views} TO {role}",
    )
    return [sql.SQL(text).format(**names) for text in texts]


def _by_hand(role: str, database: str) -> str:
    return (
        "This database role may not make other roles. Let an administrator run, once: "
        f"CREATE ROLE {role} LOGIN PASSWORD '...'; GRANT CONNECT ON DATABASE {database} TO {role}; "
        f"GRANT USAGE ON SCHEMA {VIEWS_SCHEMA} TO {role}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {VIEWS_SCHEMA} TO {role}; "
        "and connect as that role with any PostgreSQL client."
    )

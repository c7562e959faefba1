"""Creates the role and the database that the service works with."""

import psycopg
from psycopg import sql

from bankloom.core import scram
from bankloom.core.embedded_postgres.errors import RefusedError

ROLE = DATABASE = "bankloom"
CONNECT_S_MAX = 10


def create_missing(admin_url: str, password: str) -> None:
    """Create what is missing: a start that was killed may have left any part of it."""
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=CONNECT_S_MAX) as admin:
            if not _exists(admin, b"SELECT FROM pg_roles WHERE rolname = %s", ROLE):
                _create_role(admin, password)
            if not _exists(admin, b"SELECT FROM pg_database WHERE datname = %s", DATABASE):
                _create_database(admin)
    except psycopg.OperationalError as error:
        raise RefusedError(f"The embedded PostgreSQL runs but refuses us: {error}") from error


def _create_role(admin: psycopg.Connection, password: str) -> None:
    statement = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
    admin.execute(
        statement.format(sql.Identifier(ROLE), sql.Literal(scram.verifier(admin, ROLE, password)))
    )


def _create_database(admin: psycopg.Connection) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {}")
    admin.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))


def _exists(admin: psycopg.Connection, query: bytes, name: str) -> bool:
    return admin.execute(query, [name]).fetchone() is not None

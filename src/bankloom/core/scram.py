"""Verifiers of passwords: a server that is given one never sees the password, nor does its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


def verifier(connection: psycopg.Connection, role: str, password: str) -> str:
    """Return what `CREATE ROLE ... PASSWORD` takes in the password's place."""
    made = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()

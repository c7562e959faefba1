"""Runs a script of pg_dump over our own connection: one transaction, which the caller ends as it likes.

psql would do the same, but commits by itself, and knows backslash commands that no dump needs.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

import psycopg

from bankloom.core.copy_errors import LoadFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bankloom.services.copies.copy_session import Connection

COPY = re.compile(rb"COPY (\S+) \((.*)\) FROM stdin;\n")
_END_OF_ROWS = b"\\.\n"
_FOR_PSQL = (b"\\restrict ", b"\\unrestrict ")
_SET = re.compile(rb"SET (\w+) = .*;\n")
CHUNK_BYTES = 1_000_000


def now(script: IO[bytes], connection: Connection, tell: Callable[[str, int], None]) -> None:
    """Run the script in the open transaction of `connection`.

    `tell` gets the table at work and how many bytes of it are loaded. Errors: `LoadFailedError`;
    EOFError where the script ends within a table's rows.
    """
    settings = {name.encode() for (name,) in connection.execute("SELECT name FROM pg_settings")}
    statements: list[bytes] = []
    try:
        for line in script:
            if copied := COPY.fullmatch(line):
                _run(statements, connection)
                _copy(line, rows(script), connection, copied.group(1).decode(), tell)
            elif not line.startswith(_FOR_PSQL) and not _is_unknown(line, settings):
                statements.append(line)
        _run(statements, connection)
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).partition("\n")[0]
        raise LoadFailedError(
            f"The database that was to be filled refused something: {said}. It is as empty as before."
        ) from error


def rows(script: IO[bytes]) -> Iterator[bytes]:
    """Give the rows that follow a COPY line, to their end. Errors: EOFError where that is missing."""
    for row in script:
        if row == _END_OF_ROWS:
            return
        yield row
    raise EOFError


def _is_unknown(line: bytes, settings: set[bytes]) -> bool:
    """Say whether this sets something that the server does not know: an older one than pg_dump."""
    setting = _SET.fullmatch(line)
    return setting is not None and setting.group(1) not in settings


def _run(statements: list[bytes], connection: Connection) -> None:
    if statements:
        connection.execute(b"".join(statements))
        statements.clear()


def _copy(
    statement: bytes,
    lines: Iterator[bytes],
    connection: Connection,
    table: str,
    tell: Callable[[str, int], None],
) -> None:
    loaded_bytes = 0
    chunk = bytearray()
    tell(table, 0)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in lines:
            chunk += line
            if len(chunk) >= CHUNK_BYTES:
                copy.write(bytes(chunk))
                loaded_bytes += len(chunk)
                tell(table, loaded_bytes)
                chunk.clear()
        copy.write(bytes(chunk))

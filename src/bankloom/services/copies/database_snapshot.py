"""One moment of a database, held for as long as it takes: counts, hashes and dumps that agree."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import IsolationLevel, sql

from bankloom.core import copy_programs
from bankloom.core.copy_errors import DatabaseInUseError, NothingToCopyError
from bankloom.core.db import SCHEMA
from bankloom.services.copies import copy_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bankloom.core.address import Address
    from bankloom.services.copies.copy_session import Connection

LOCK_SECONDS = 10
"""How long a commit that is under way may take to end before a database counts as in use."""
LEAVE_SECONDS = 5
"""How long a connection that was closed may still be listed; so may our own, from a moment ago."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment; `connection` sees it so, and so does pg_dump by `name`."""

    address: Address
    connection: Connection
    name: str

    def script(self) -> AbstractContextManager[IO[bytes]]:
        """Give what makes the same schemas and rows elsewhere, as SQL."""
        arguments = [*self._arguments(), "--no-owner", "--no-privileges"]
        program = copy_programs.newest_dumper(self.connection.info.server_version)
        return copy_programs.output_of(program, arguments, self.address)

    def archive(self, file: Path, tell: Callable[[str], None]) -> None:
        """Write all of it to a file, in pg_dump's custom format; `tell` gets what it says."""
        arguments = [*self._arguments(), "--format=custom", "--verbose", f"--file={file}"]
        copy_programs.run(self._archiver(), arguments, self.address, tell)

    def archive_stream(self) -> AbstractContextManager[IO[bytes]]:
        """Give the same as a stream.

        Through a pipe: into a file by way of standard output, pg_dump writes its contents twice.
        """
        return copy_programs.output_of(
            self._archiver(), [*self._arguments(), "--format=custom"], self.address
        )

    def _archiver(self) -> Path:
        return copy_programs.nearest_dumper(self.connection.info.server_version)

    def _arguments(self) -> list[str]:
        schemas = (f"--schema={name}" for name in copy_session.SCHEMAS)
        return [f"--snapshot={self.name}", "--encoding=UTF8", "--no-password", *schemas]


@contextmanager
def taken(address: Address, *, alone: bool = False) -> Iterator[Snapshot]:
    """Give the database as it is now, while others go on with it; `alone`, while nobody may write.

    Errors: `NothingToCopyError`; `DatabaseInUseError`, which says what to stop.
    """
    with copy_session.opened(address) as connection:
        names = copy_session.tables(connection)
        if (SCHEMA, "alembic_version") not in names:
            raise NothingToCopyError
        if alone:
            copy_session.keep_starts_out(connection)
            _refuse_others(connection)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            if alone:
                _keep_writers_out(connection, names)
            (name,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            yield Snapshot(address, connection, name)


_OTHERS = """
    SELECT coalesce(nullif(application_name, ''), 'unnamed'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND (usename = current_user OR application_name = 'bankloom')
    GROUP BY 1 ORDER BY 1
"""


def _refuse_others(connection: Connection) -> None:
    deadline = time.monotonic() + LEAVE_SECONDS
    while others := connection.execute(_OTHERS).fetchall():
        if time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            continue
        listed = ", ".join(f"{name} ({count})" for name, count in others)
        raise DatabaseInUseError(
            f"Others are connected to this database: {listed}. Stop every `bankloom serve` and "
            "`bankloom worker` that uses it, on every machine, close what else connects as this "
            "role, and repeat this. Nothing was changed."
        )


def _keep_writers_out(connection: Connection, names: list[tuple[str, str]]) -> None:
    """Lock every table against changes until the end: whoever is still there can only read."""
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    lock = sql.SQL("LOCK TABLE {} IN SHARE MODE").format(copy_session.identifiers(names))
    try:
        connection.execute(lock)
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseInUseError(
            f"Somebody has been changing this database for more than {LOCK_SECONDS} s. Stop what "
            "that is, and repeat this. Nothing was changed."
        ) from error

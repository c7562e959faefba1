"""Writes a backup of a database that is in use: one moment of it, whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from psycopg import sql

from bankloom.core.copy_errors import BackupFileError
from bankloom.core.db import SCHEMA
from bankloom.core.private_files import sync_folder
from bankloom.models import SEALED
from bankloom.services.copies import database_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bankloom.core.address import Address
    from bankloom.services.copies.copy_session import Connection

MAGIC = b"PGDMP"
"""What a file of pg_dump's custom format begins with."""
COUNTED = ("items", "accounts", "transactions")


@dataclass(frozen=True)
class Contents:
    """What stands in a backup: the moment, the schema's revision, rows of the chief tables.

    `key_names` are the keys that something in it is sealed under; the keys themselves are not in it.
    """

    taken_at: datetime
    revision: str
    server_version: int
    rows: dict[str, int]
    key_names: list[str]

    @classmethod
    def of(cls, connection: Connection) -> Contents:
        """Look at what this connection sees."""
        told = sql.SQL("SELECT now(), version_num FROM {}").format(
            sql.Identifier(SCHEMA, "alembic_version")
        )
        taken_at, revision = connection.execute(told).fetchone() or (None, "")
        rows = {name: _count(connection, name) for name in COUNTED}
        keys = _key_names(connection)
        return cls(taken_at, revision, connection.info.server_version, rows, keys)


def to_file(address: Address, file: Path, tell: Callable[[str], None]) -> Contents:
    """Write the backup, with mode 0600, in place of an older one. Errors: `CopyError`."""
    _refuse_other_file(file)
    with database_snapshot.taken(address) as snapshot, _written(file) as unfinished:
        contents = Contents.of(snapshot.connection)
        snapshot.archive(unfinished, tell)
    return contents


def to_stream(address: Address, stream: IO[bytes]) -> Contents:
    """Write the backup to what is open already, as standard output is. Errors: `CopyError`."""
    with database_snapshot.taken(address) as snapshot, snapshot.archive_stream() as archive:
        contents = Contents.of(snapshot.connection)
        try:
            shutil.copyfileobj(archive, stream)
            stream.flush()
        except OSError as error:
            raise BackupFileError(f"The backup was not taken up: {error.strerror}.") from error
    return contents


def _count(connection: Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(SCHEMA, table))
    (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def _key_names(connection: Connection) -> list[str]:
    """Return the names of all keys in use; an older schema has no index of them, and is read through."""
    names: set[str] = set()
    for column in SEALED:
        query = sql.SQL("SELECT DISTINCT split_part({column}, '.', 2) FROM {table}").format(
            column=sql.Identifier(column.column),
            table=sql.Identifier(SCHEMA, column.model.__tablename__),
        )
        names |= {name for (name,) in connection.execute(query) if name}
    return sorted(names)


def _refuse_other_file(file: Path) -> None:
    """Refuse to write over what is no backup: a slip of the hand must not cost a keyring."""
    try:
        with file.open("rb") as there:
            begins = there.read(len(MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BackupFileError(f"{file} can't be written: {error.strerror}.") from error
    if begins != MAGIC:
        raise BackupFileError(f"{file} is there already, and is no backup. It was left alone.")


@contextmanager
def _written(file: Path) -> Iterator[Path]:
    """Give a file to write to, of mode 0600; it takes its name when all of it is on the disk."""
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise BackupFileError(f"{file} can't be written: {error.strerror}.") from error
    unfinished = Path(name)
    try:
        yield unfinished
        os.fsync(descriptor)
        unfinished.replace(file)
        sync_folder(file.parent)
    finally:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)

"""Reads a backup, says whose it is before anything is changed, and loads it into an empty database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from bankloom.core import copy_programs
from bankloom.core.copy_errors import NoBackupError, ProgramFailedError
from bankloom.core.db import SCHEMA
from bankloom.models import SEALED, Item, SealedColumn, SealedValue
from bankloom.services.copies import copy_session, load_script
from bankloom.services.keyrings.open_keyring import Sample, keyring_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.copies.copy_session import Connection

_NULL = "\\N"
_SCHEMA_ENTRY = re.compile(r"^\d+; \d+ \d+ SCHEMA - (\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Backup:
    """A file that `bankloom db backup` wrote; `samples` is what to try the keys on.

    That is every access token, and of what else is sealed one value of each key: the keyring itself
    is in no backup.
    """

    file: Path
    revision: str
    samples: tuple[Sample, ...]

    @property
    def key_names(self) -> list[str]:
        """The names of the keys that something in it is sealed under."""
        return sorted({each.value.key_name for each in self.samples})

    @classmethod
    def read(cls, file: Path) -> Self:
        """Look into the file. Errors: `NoBackupError`."""
        try:
            file.open("rb").close()
            schemas = set(_SCHEMA_ENTRY.findall(_listing(file)))
            if schemas != set(copy_session.SCHEMAS):
                raise NoBackupError(
                    f"{file} was not written by `bankloom db backup`: it holds the schemas "
                    f"{', '.join(sorted(schemas)) or 'of nothing'}. Nothing was changed."
                )
            revision, samples = _look(file)
        except OSError as error:
            raise NoBackupError(f"{file} can't be read: {error.strerror}.") from error
        except ProgramFailedError as error:
            raise NoBackupError(
                f"{file} is no backup, or a damaged one. Nothing was changed. ({error.message})"
            ) from error
        return cls(file, revision, samples)

    def require_keys(self, settings: Settings) -> None:
        """Refuse where the keyring does not open every sample. Errors: `ConfigurationError`."""
        if self.samples:
            keyring_for(settings, self.samples)

    def load(self, connection: Connection, tell: Callable[[str, int], None]) -> None:
        """Load it in the open transaction of `connection`. Errors: `CopyError`."""
        arguments = ["--file=-", "--no-owner", "--no-privileges", "--exit-on-error", str(self.file)]
        with copy_programs.output_of(copy_programs.restorer(), arguments) as script:
            load_script.now(script, connection, tell)


def _listing(file: Path) -> str:
    program = copy_programs.restorer()
    with copy_programs.output_of(program, ["--list", str(file)]) as output:
        return output.read().decode(errors="replace")


_SEALED = {f"{SCHEMA}.{column.model.__tablename__}": column for column in SEALED}


def _look(file: Path) -> tuple[str, tuple[Sample, ...]]:
    """Return the schema's revision and the samples, without a database."""
    names = ["alembic_version", *(column.model.__tablename__ for column in SEALED)]
    chosen = (f"--table={name}" for name in names)
    arguments = ["--file=-", "--data-only", f"--schema={SCHEMA}", *chosen, str(file)]
    revision = ""
    samples: dict[tuple[str, ...], Sample] = {}
    with copy_programs.output_of(copy_programs.restorer(), arguments) as script:
        for table, row in _rows(script):
            if table == f"{SCHEMA}.alembic_version":
                revision = row["version_num"]
            elif row[(column := _SEALED[table]).column] != _NULL:
                value = _value(column, row)
                which = (table, value.key_name, value.bound_to if column.model is Item else "")
                samples.setdefault(which, Sample(str(column), value))
    return revision, tuple(samples.values())


def _value(column: SealedColumn, row: dict[str, str]) -> SealedValue:
    keyed_hash = row[column.hash] if column.hash else None
    return SealedValue(None, row[column.column], row[column.bound_to], keyed_hash)


def _rows(script: IO[bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Give (table, row) of each row in a script; values as COPY writes them, which alters no token."""
    for line in script:
        if copied := load_script.COPY.fullmatch(line):
            table, columns = (part.decode() for part in copied.groups())
            for row in load_script.rows(script):
                values = row.decode().rstrip("\n").split("\t")
                yield table, dict(zip(columns.split(", "), values, strict=True))

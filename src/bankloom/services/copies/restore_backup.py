"""Reads a backup, says whose it is before anything is changed, and loads it into an empty database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from bankloom.core import copy_programs
from bankloom.core.copy_errors import NoBackupError, ProgramFailedError
from bankloom.core.db import SCHEMA
from bankloom.models.item import SealedToken
from bankloom.services.copies import copy_session, load_script
from bankloom.services.runtime import keyring_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.core.settings import Settings
    from bankloom.services.copies.copy_session import Connection

_NULL = "\\N"
_SCHEMA_ENTRY = re.compile(r"^\d+; \d+ \d+ SCHEMA - (\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Backup:
    """A file that `bankloom db backup` wrote."""

    file: Path
    revision: str
    tokens: tuple[SealedToken, ...]

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
            revision, tokens = _look(file)
        except OSError as error:
            raise NoBackupError(f"{file} can't be read: {error.strerror}.") from error
        except ProgramFailedError as error:
            raise NoBackupError(
                f"{file} is no backup, or a damaged one. Nothing was changed. ({error.message})"
            ) from error
        return cls(file, revision, tokens)

    def require_keys(self, settings: Settings) -> None:
        """Refuse where the keyring does not open every token. Errors: `ConfigurationError`."""
        if not self.tokens:
            return
        keyring_for(settings, self.tokens)

    def load(self, connection: Connection, tell: Callable[[str, int], None]) -> None:
        """Load it in the open transaction of `connection`. Errors: `CopyError`."""
        arguments = ["--file=-", "--no-owner", "--no-privileges", "--exit-on-error", str(self.file)]
        with copy_programs.output_of(copy_programs.restorer(), arguments) as script:
            load_script.now(script, connection, tell)


def _listing(file: Path) -> str:
    program = copy_programs.restorer()
    with copy_programs.output_of(program, ["--list", str(file)]) as output:
        return output.read().decode(errors="replace")


def _look(file: Path) -> tuple[str, tuple[SealedToken, ...]]:
    """Return the schema's revision and the tokens, without a database."""
    chosen = (f"--table={name}" for name in ("alembic_version", "items"))
    arguments = ["--file=-", "--data-only", f"--schema={SCHEMA}", *chosen, str(file)]
    revision, tokens = "", []
    with copy_programs.output_of(copy_programs.restorer(), arguments) as script:
        for table, row in _rows(script):
            if table == f"{SCHEMA}.alembic_version":
                revision = row["version_num"]
            elif row["removed_at"] == _NULL:
                tokens.append(_token(row))
    return revision, tuple(tokens)


def _token(row: dict[str, str]) -> SealedToken:
    return SealedToken(row["item_id"], row["access_token_sealed"], row["access_token_hash"])


def _rows(script: IO[bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    """Give (table, row) of each row in a script; values as COPY writes them, which alters no token."""
    for line in script:
        if copied := load_script.COPY.fullmatch(line):
            table, columns = (part.decode() for part in copied.groups())
            for row in load_script.rows(script):
                values = row.decode().rstrip("\n").split("\t")
                yield table, dict(zip(columns.split(", "), values, strict=True))

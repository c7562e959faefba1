"""`bankloom db backup` and `bankloom db restore`: a file of the database, and the database from it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from bankloom import migrations
from bankloom.cli import acting, signals
from bankloom.cli.progress import shown, size
from bankloom.core import logs
from bankloom.core.db import Database
from bankloom.core.keyring import INDEX_KEY_NAME
from bankloom.core.settings import Settings
from bankloom.services import audit
from bankloom.services.copies import back_up, copy_session, fill_database
from bankloom.services.copies.restore_backup import Backup
from bankloom.services.keyrings.open_keyring import VARIABLE, file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bankloom.services.copies.back_up import Contents

_TABLE_AT_HAND = re.compile(r'dumping contents of table "(.*)"')

To = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")
]
From = Annotated[Path, typer.Argument(metavar="FILE", help="What `bankloom db backup` wrote.")]


def backup(file: To) -> None:
    """Write a backup of the database, while the service runs. The keyring is not in it.

    The file is of mode 0600 and is there only when it is whole; an older backup of that name is
    replaced.
    """
    signals.end_in_order()
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    with closing(Database.open(settings)) as database, shown("Writing the backup") as tell:
        acting.note(settings, database, audit.Action.DATABASE_BACKED_UP)
        if file == Path("-"):
            with _standard_output() as stream:
                contents = back_up.to_stream(database.address, stream)
        else:
            contents = back_up.to_file(database.address, file, _spoken(tell))
    where = "to standard output" if file == Path("-") else f"{file} ({size(file.stat().st_size)})"
    typer.echo(f"Wrote {where}: {_described(contents)}.", err=True)
    typer.echo(_about_the_keyring(settings, contents.key_names), err=True)


def restore(file: From) -> None:
    """Load a backup into an empty database: a new data folder, or an empty one of your own server.

    It is all there afterwards, or nothing is.
    """
    signals.end_in_order()
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    with shown("Reading the backup"):
        read = Backup.read(file)
        migrations.require_known(read.revision, "This backup")
        read.require_keys(settings)
    with closing(Database.open(settings)) as database, shown("Restoring") as tell:
        database.engine.dispose()
        with fill_database.now(database.address) as connection:
            read.load(connection, tell)
            contents = back_up.Contents.of(connection)
        acting.note(
            settings,
            database,
            audit.Action.DATABASE_RESTORED,
            taken_from_revision=contents.revision,
        )
    typer.echo(f"Restored {_rows(contents)} (schema {contents.revision}).")
    typer.echo(f"The keyring was not in it, and is as it was here{_needed(read.key_names)}.")
    typer.echo(
        "Start `bankloom serve`: it goes on where the backup was taken. The original must not run "
        "beside it: both would sync the same banks."
    )


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    """Give it for bytes; Python's own would complain at its end of a reader that has left."""
    if sys.stdout.isatty():
        raise typer.BadParameter("a backup is no text; redirect it to a file or a program")
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream:
        yield stream


def _spoken(tell: Callable[[str, int], None]) -> Callable[[str], None]:
    """Take from pg_dump's lines the table at hand."""

    def hear(line: str) -> None:
        if at_hand := _TABLE_AT_HAND.search(line):
            tell(at_hand.group(1), 0)

    return hear


def _described(contents: Contents) -> str:
    schemas = ", ".join(copy_session.SCHEMAS)
    return (
        f"{_rows(contents)}, as of {contents.taken_at:%Y-%m-%d %H:%M:%S} UTC (the schemas {schemas}; "
        f"revision {contents.revision}, PostgreSQL {contents.server_version // 10_000})"
    )


def _rows(contents: Contents) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in contents.rows.items())


def _about_the_keyring(settings: Settings, key_names: Sequence[str]) -> str:
    file = file_of(settings)
    where = file.path if file else f"the setting {VARIABLE}"
    return (
        f"The keyring is not in it. It is {where}{_needed(key_names)}. Keep a copy of that too, and "
        "apart: without it every bank must be linked anew, and both together open every linked bank."
    )


def _needed(key_names: Sequence[str]) -> str:
    """Say which keys open what is sealed, where anything is."""
    listed = ", ".join(f"'{name}'" for name in [*key_names, INDEX_KEY_NAME])
    return f"; of its keys this needs {listed}" if key_names else ""

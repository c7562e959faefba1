"""`bankloom db`: opens the database for people, read-only; and what is done with it as a whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bankloom import migrations
from bankloom.cli import acting, db_backup, db_move, db_upgrade, signals
from bankloom.core import logs
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError
from bankloom.core.secrets import without_settings
from bankloom.core.settings import Settings
from bankloom.services import audit
from bankloom.services.reader_role import reader_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.address import Address

app = typer.Typer(
    no_args_is_help=True,
    help="Open the database read-only; back it up, restore it, move it, upgrade it.",
)
for command in (db_backup.backup, db_backup.restore, db_move.move, db_upgrade.upgrade):
    app.command()(command)


Reset = Annotated[
    bool, typer.Option("--reset", help="Set a new password; URLs printed before stop working.")
]


@app.command()
def url(*, reset: Reset = False) -> None:
    """Print a URL for any PostgreSQL client. It holds a password.

    The embedded server answers at it while `bankloom serve` or `bankloom worker` runs.
    """
    with _opened() as (database, settings):
        reader = reader_address(database, settings.data_dir, reset=reset)
        acting.note(settings, database, audit.Action.READER_TOLD, to="url", reset=reset)
        typer.echo(reader.url)


@app.command(context_settings={"ignore_unknown_options": True})
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to psql.")] = None,
) -> None:
    """Open psql; what follows is handed to it, as in: bankloom db psql -c 'TABLE accounts'."""
    with _opened() as (database, settings):
        program = _find_psql(database)
        reader = reader_address(database, settings.data_dir)
        acting.note(settings, database, audit.Action.READER_TOLD, to="psql")
        raise SystemExit(_run_psql(program, reader, arguments or []))


@contextmanager
def _opened() -> Iterator[tuple[Database, Settings]]:
    """Give the database and the settings: no change of the schema."""
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    with closing(Database.open(settings)) as database:
        migrations.require_current(database)
        yield database, settings


def _find_psql(database: Database) -> str:
    embedded = database.embedded
    program = str(embedded.bin_dir / "psql") if embedded else shutil.which("psql")
    if program is None:
        raise ConfigurationError(
            "psql is not installed. Use `bankloom db url` with another client."
        )
    return program


def _run_psql(program: str, reader: Address, arguments: list[str]) -> int:
    # The password goes by the environment: arguments can be read by every user of the machine.
    # And no secret of ours: its `\!` opens a shell, and whatever that starts would have them.
    environment = without_settings(os.environ) | {"PGPASSWORD": reader.parameters["password"]}
    command = [program, reader.but(password=None).url, *arguments]
    with signals.noted(signal.SIGINT):  # a Ctrl-C cancels psql's query, and is not for us
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - their psql

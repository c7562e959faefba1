"""`bankloom db upgrade`: the embedded database of an older PostgreSQL, made one of the bundled version."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bankloom.cli import signals
from bankloom.cli.progress import comparison, console, shown
from bankloom.core import logs
from bankloom.core.address import Address
from bankloom.core.db import Database
from bankloom.core.embedded_postgres.binaries import MAJOR
from bankloom.core.embedded_postgres.upgrade import upgrading
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from bankloom.services.copies import copy_database, database_snapshot, fill_database
from bankloom.services.reader_role import PASSWORD_FILE, reader_address

if TYPE_CHECKING:
    from bankloom.core.embedded_postgres.upgrade import Upgrade

OldBinDir = Annotated[
    Path | None,
    typer.Option(
        "--old-bin-dir",
        help="The folder of the old version's programs, as /usr/lib/postgresql/15/bin.",
    ),
]


def upgrade(*, old_bin_dir: OldBinDir = None) -> None:
    """Copy the embedded database of an older PostgreSQL into one of the bundled version.

    Stop every service and worker first. Every table is compared before the new database takes the
    old one's place; the old one is kept. It takes as much disk again as the database has.
    """
    signals.end_in_order()
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    if settings.database_url:
        raise ConfigurationError(
            "BANKLOOM_DATABASE_URL names a server of your own, which is upgraded by its own means. "
            "This command is for the embedded database."
        )
    with upgrading(settings.data_dir / "postgres", old_bin_dir) as both:
        if both is None:
            typer.echo(f"There is nothing to upgrade: no database of a version before {MAJOR}.")
            return
        left_behind = _copy(both)
    _give_readers_their_role(settings)
    typer.echo(
        f"Upgraded from PostgreSQL {both.old_major} to {MAJOR}. The old database is kept as "
        f"{both.kept}; remove it when you trust the new one."
    )
    for name in left_behind:
        typer.echo(f"Not taken along, since it is not Bankloom's: {name}.")


def _copy(both: Upgrade) -> list[str]:
    """Copy from the old server into the new one, compare, and return what is not Bankloom's."""
    old, new = Address.parse(both.old_url), Address.parse(both.new_url)
    with (
        shown("Upgrading") as tell,
        database_snapshot.taken(old) as source,
        fill_database.now(new) as empty,
    ):
        compared = copy_database.now(source, empty, tell)
        console.print(comparison(compared))
        copy_database.require_equal(compared)
        return copy_database.left_behind(source)


def _give_readers_their_role(settings: Settings) -> None:
    """Make the read-only role anew: roles belong to a server, not to a database."""
    if (settings.data_dir / PASSWORD_FILE).exists():
        with closing(Database.open(settings)) as database:
            reader_address(database, settings.data_dir)

"""The commands of `bankloom keys` for encryption keys: add, rotate, check, retire, generate."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bankloom import migrations
from bankloom.cli import signals
from bankloom.cli.item_tables import console
from bankloom.cli.opened import opened
from bankloom.cli.progress import console as progress_console
from bankloom.core import logs
from bankloom.core.db import Database
from bankloom.core.keyring import fresh_entry
from bankloom.core.settings import Settings
from bankloom.services.keyrings import change, open_keyring
from bankloom.services.keyrings import check as check_all
from bankloom.services.keyrings import rotate as rotate_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bankloom.core.keyring import Mark
    from bankloom.services.keyrings.check import Checked
    from bankloom.services.keyrings.rotate import Progress

Name = Annotated[str, typer.Argument(metavar="NAME", help="The encryption key's name.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="NAME", help="Which key; else the one added last, or the first."),
]


def add(name: Name) -> None:
    """Add a fresh encryption key to the keyring file. It opens, and does not seal yet."""
    with opened() as runtime:
        lacking = change.add(runtime, name)
        file = open_keyring.file_of(runtime.settings)
    typer.echo(
        f"Added '{name}' to {file and file.path}. Back that file up now, apart from the database."
    )
    if lacking:
        typer.echo(f"Not taken up yet by {open_keyring.named(lacking)}: give it that file.")
        return
    typer.echo(f"Every running process has it. Next: bankloom keys rotate --to {name}")


def rotate(to: To = None) -> None:
    """Seal everything anew under one encryption key, beside the running service.

    Safe to kill at any moment, and to repeat. Refused while a running process lacks the key.
    """
    with opened() as runtime, progress_console.status("Rotating") as status:

        def tell(progress: Progress) -> None:
            words = f"{progress.column}: {progress.done:,} of {progress.total:,} rows"
            status.update(Text(words))

        rotated = rotate_all.now(runtime, to, tell)
    for column, count in rotated.resealed.items():
        typer.echo(f"{column}: {count:,} sealed anew")
    name, broken = rotated.to.name, sum(rotated.broken.values())
    if broken:
        typer.echo(f"{broken:,} do not open and were left; see `bankloom keys check`.", err=True)
    if rotated.left:
        typer.echo(f"{rotated.left:,} came meanwhile under other keys; repeat this.", err=True)
    if broken or rotated.left:
        raise typer.Exit(1)
    typer.echo(f"Everything is sealed under '{name}'. Next: bankloom keys check")


def check() -> None:
    """Prove that every sealed row opens, and say which encryption keys may be retired.

    Ends with code 1 if a row does not open; that row is named, never its value.
    """
    signals.end_in_order()
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    with closing(Database.open(settings)) as database:
        migrations.require_current(database)
        keyring = open_keyring.read(settings)
        with progress_console.status("Opening every sealed row"):
            checked = check_all.now(database, keyring, _tell_broken)
    console().print(_counts(checked))
    console().print(_processes(checked))
    broken = checked.broken.total()
    if broken:
        typer.echo(f"{broken:,} of {checked.values.total():,} sealed rows do not open.")
        raise typer.Exit(1)
    typer.echo(f"All {checked.values.total():,} sealed rows open.")
    _say_what_may_go(checked, keyring.marks)


def retire(name: Name) -> None:
    """Take an encryption key out of the keyring file. Refused while any row needs it."""
    with opened() as runtime:
        change.retire(runtime, name)
    typer.echo(f"'{name}' is out of the keyring. Backups from before the rotation still need it.")


def generate(name: Name) -> None:
    """Print a fresh encryption key, for BANKLOOM_ENCRYPTION_KEYS. It is stored nowhere."""
    typer.echo(fresh_entry(name))


def _tell_broken(column: str, row: object, reason: str) -> None:
    typer.echo(f"{column} of row {row}: {reason}")


def _counts(checked: Checked) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Sealed column", no_wrap=True)
    table.add_column("Key", no_wrap=True)
    table.add_column("Rows", justify="right")
    table.add_column("Do not open", justify="right")
    for place, count in checked.values.items():
        column, name = place
        table.add_row(Text(column), Text(name), f"{count:,}", f"{checked.broken[place]:,}")
    return table


def _processes(checked: Checked) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Running process", no_wrap=True)
    table.add_column("Seals under", no_wrap=True)
    table.add_column("Opens too")
    for each in checked.processes:
        sealing, *others = (mark.partition(":")[0] for mark in each.keys)
        table.add_row(Text(str(each)), Text(sealing), Text(", ".join(others)))
    return table


def _say_what_may_go(checked: Checked, marks: Sequence[Mark]) -> None:
    typer.echo(f"'{marks[0].name}' seals.")
    for name in checked.unused(marks):
        typer.echo(f"Nothing is sealed under '{name}': bankloom keys retire {name}")

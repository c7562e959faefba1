"""`bankloom db move`: the database to another server, or into the data folder, checked."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from bankloom.cli import acting, signals
from bankloom.cli.progress import comparison, console, shown
from bankloom.core import logs
from bankloom.core.address import Address
from bankloom.core.copy_errors import SameDatabaseError
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from bankloom.services import audit
from bankloom.services.copies import copy_database, copy_session, database_snapshot, fill_database

if TYPE_CHECKING:
    from collections.abc import Iterator

ToUrl = Annotated[
    str | None,
    typer.Argument(
        metavar="TO_URL",
        help="The URL of an empty database. With a password in it, leave this out: it is asked for, "
        "or read from standard input.",
    ),
]
ToEmbedded = Annotated[
    bool, typer.Option("--to-embedded", help="Move into the data folder instead of to a server.")
]


def move(to_url: ToUrl = None, *, to_embedded: ToEmbedded = False) -> None:
    """Copy the database that the settings name into an empty one, and compare every table.

    Stop every service and worker first. The original stays as it was; point the settings to the
    copy afterwards.
    """
    signals.end_in_order()
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    target = _target(settings, to_url, to_embedded=to_embedded)
    _copy(settings, target)
    with closing(Database.open(target)) as database:
        acting.note(target, database, audit.Action.DATABASE_MOVED)
    typer.echo(f"The copy is equal. {_next_step(settings, target)}")


def _target(settings: Settings, to_url: str | None, *, to_embedded: bool) -> Settings:
    """Return the settings as they will be after the move."""
    if to_embedded and to_url:
        raise typer.BadParameter("name a URL or --to-embedded, not both")
    if not to_embedded:
        url = _warned_of(to_url) if to_url else _asked()
        if not url:
            raise typer.BadParameter("no URL was named, and --to-embedded was not asked for")
        return settings.model_copy(update={"database_url": SecretStr(url)})
    if settings.database_url is None:
        raise SameDatabaseError(
            "BANKLOOM_DATABASE_URL is not set, so the database is the embedded one already. "
            "Nothing was changed."
        )
    return settings.model_copy(update={"database_url": None})


def _warned_of(url: str) -> str:
    with _of_the_target():
        if "password" in Address.parse(url).parameters:
            typer.echo(
                "Every user of this machine can read a password among the arguments. Next time "
                "leave the URL out: it is asked for, or read from standard input.",
                err=True,
            )
    return url


def _asked() -> str:
    """Take the URL where nobody else on this machine can read it."""
    if sys.stdin.isatty():
        url: str = typer.prompt("URL of the empty database (not shown)", hide_input=True)
        return url.strip()
    return sys.stdin.readline().strip()


def _copy(settings: Settings, target: Settings) -> None:
    """Copy all of it, show the comparison, and commit only where both sides are equal."""
    with ExitStack() as opened, shown("Moving") as tell:
        here = opened.enter_context(_opened(settings))
        with _of_the_target():
            there = opened.enter_context(_opened(target))
        _refuse_same(here, there)
        with database_snapshot.taken(here, alone=True) as source, fill_database.now(there) as empty:
            compared = copy_database.now(source, empty, tell)
            console.print(comparison(compared))
            copy_database.require_equal(compared)


@contextmanager
def _opened(settings: Settings) -> Iterator[Address]:
    """Give the address of a database, whose server runs meanwhile if it is the embedded one."""
    with closing(Database.open(settings)) as database:
        database.engine.dispose()  # what it keeps would count as another user
        yield database.address


@contextmanager
def _of_the_target() -> Iterator[None]:
    """Let what is said of the setting be said of the URL that was given."""
    try:
        yield
    except ConfigurationError as error:
        error.message = error.message.replace("BANKLOOM_DATABASE_URL", "the URL of the target")
        raise


def _refuse_same(here: Address, there: Address) -> None:
    with copy_session.opened(here) as one, copy_session.opened(there) as other:
        if copy_session.identity(one) == copy_session.identity(other):
            raise SameDatabaseError


def _next_step(settings: Settings, target: Settings) -> str:
    if target.database_url is None:
        setting = "Unset BANKLOOM_DATABASE_URL"
    else:
        setting = "Set BANKLOOM_DATABASE_URL to the URL of the copy"
    if settings.database_url is None:
        original = f"The original is left in {settings.data_dir / 'postgres'}"
    else:
        original = "The original is left on its server"
    return (
        f"{setting}, in the environment or .env of every `bankloom serve` and `bankloom worker`, "
        f"before you start one. The keyring stays as it is. {original}, as it was; remove it when "
        "you trust the copy."
    )

"""Every command of `bankloom`."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from bankloom.cli import (
    audit,
    db,
    demo,
    doctor,
    erasure,
    items,
    jobs,
    keys,
    serve,
    signin,
    webhooks,
)
from bankloom.core.errors import BankloomError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps your own database in step with your banks, through Plaid.",
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        typer.echo(version("bankloom"))
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command()(demo.demo)
app.command()(serve.serve)
app.command()(serve.worker)
app.command()(signin.signin)
app.command()(doctor.doctor)
items.app.command()(erasure.remove)
app.add_typer(items.app, name="items")
app.add_typer(erasure.users, name="users")
app.add_typer(jobs.app, name="jobs")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run a command; an error that we know is one sentence on stderr, not a traceback."""
    try:
        app()
    except BankloomError as error:
        sys.stderr.write(f"bankloom: {error.message}\n")
        raise SystemExit(1) from None

"""`bankloom db`: opens the database for people, read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Annotated

import typer

from bankloom import migrations
from bankloom.core import logs
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from bankloom.services.reader_role import reader_url
from bankloom.services.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True,
    help="Open the database read-only: the views accounts, transactions and balances.",
)


@app.command()
def url() -> None:
    """Print a URL for any PostgreSQL client. It holds a password.

    The embedded server answers at it while `bankloom serve` or `bankloom worker` runs.
    """
    runtime = _open()
    try:
        typer.echo(reader_url(runtime).render_as_string(hide_password=False))
    finally:
        runtime.close()


@app.command(context_settings={"ignore_unknown_options": True})
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to psql.")] = None,
) -> None:
    """Open psql; what follows is handed to it, as in: bankloom db psql -c 'TABLE accounts'."""
    runtime = _open()
    try:
        raise SystemExit(_run_psql(runtime, arguments or []))
    finally:
        runtime.close()


def _open() -> Runtime:
    settings = Settings.read()
    logs.configure("warning")
    return Runtime.open(settings, migrations.upgraded, any_world=True)


def _run_psql(runtime: Runtime, arguments: list[str]) -> int:
    embedded = runtime.database.embedded
    program = str(embedded.bin_dir / "psql") if embedded else shutil.which("psql")
    if program is None:
        raise ConfigurationError(
            "psql is not installed. Use `bankloom db url` with another client."
        )
    target = reader_url(runtime)
    # The password goes by the environment: arguments can be read by every user of the machine.
    environment = {**os.environ, "PGPASSWORD": str(target.password)}
    without_password = target.set(password=None).render_as_string(hide_password=False)
    command = [program, without_password, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - their psql

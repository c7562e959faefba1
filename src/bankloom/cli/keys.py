"""`bankloom keys`: the encryption keys of the keyring."""

from __future__ import annotations

import typer

from bankloom.cli import keyring_keys

app = typer.Typer(
    no_args_is_help=True,
    help="Encryption keys, which seal secrets in the database: add, rotate, check, retire.",
)
for command in (
    keyring_keys.add,
    keyring_keys.rotate,
    keyring_keys.check,
    keyring_keys.retire,
    keyring_keys.generate,
):
    app.command(rich_help_panel="Encryption keys (the keyring)")(command)

"""`bankloom keys`: the API keys of those who may call, and the encryption keys that seal secrets."""

from __future__ import annotations

import typer

from bankloom.cli import api_keys, keyring_keys

app = typer.Typer(
    no_args_is_help=True,
    help="API keys: who may call, for whom and for what. Encryption keys: what seals secrets at rest.",
)

_CALLERS = "API keys: who may call"
app.command(rich_help_panel=_CALLERS)(api_keys.create)
app.command("list", rich_help_panel=_CALLERS)(api_keys.list_)
app.command(rich_help_panel=_CALLERS)(api_keys.revoke)

_KEYRING = "Encryption keys: the keyring, which seals secrets in the database"
for command in (
    keyring_keys.add,
    keyring_keys.rotate,
    keyring_keys.check,
    keyring_keys.retire,
    keyring_keys.generate,
):
    app.command(rich_help_panel=_KEYRING)(command)

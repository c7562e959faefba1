"""`bankloom keys`: the API keys of those who may call."""

from __future__ import annotations

import typer

from bankloom.cli import api_keys

app = typer.Typer(no_args_is_help=True, help="API keys: who may call, for whom and for what.")
app.command()(api_keys.create)
app.command("list")(api_keys.list_)
app.command()(api_keys.revoke)

"""`bankloom keys create`, `list` and `revoke`: who may call, for whom and for what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bankloom.cli.item_tables import console, moment
from bankloom.cli.opened import opened
from bankloom.cli.shown import shown
from bankloom.core import clock
from bankloom.models import ApiKey, Scope
from bankloom.services import api_keys
from bankloom.services.api_keys import WantedKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

DAYS_MAX = 36_500
"""A century: beyond that `--days` is a slip, and far beyond it no date."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is for, in words.")]
User = Annotated[
    str | None, typer.Option("--user", help="The one person that it reaches; without: everyone.")
]
Scopes = Annotated[
    list[Scope] | None, typer.Option("--scope", help="What it may do; repeatable. Default: read.")
]
Owner = Annotated[str | None, typer.Option("--owner", help="Who holds it, in words.")]
Days = Annotated[
    int | None,
    typer.Option("--days", min=1, max=DAYS_MAX, help="How long it is good for; without: for ever."),
]
Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help="Its beginning, as in the list.")]


def create(
    name: Name, user: User = None, scope: Scopes = None, owner: Owner = None, days: Days = None
) -> None:
    """Make an API key, and print it: it is shown only this once."""
    expires_at = clock.now() + timedelta(days=days) if days else None
    wanted = WantedKey(name, scope or [Scope.READ], user, owner, expires_at)
    with opened() as runtime:
        key, row = api_keys.create(runtime, wanted)
    typer.echo(
        f"API key {row.prefix}: {', '.join(row.scopes)}; reaches "
        f"{user or 'everyone'}. It is shown only this once.",
        err=True,
    )
    typer.echo(key)


def list_() -> None:
    """List the API keys, the newest on top. The key of BANKLOOM_API_KEY is none of them."""
    with opened() as runtime, runtime.database.session() as session:
        rows = ApiKey.listing(session)
    console().print(_table(rows) if rows else "There are no API keys.")


def revoke(prefix: Prefix) -> None:
    """Revoke an API key, and all that it minted: from now on they open nothing."""
    with opened() as runtime:
        key, ended = api_keys.revoke(runtime, prefix)
    typer.echo(
        f"API key {key.prefix} ({key.name}) is revoked, and {ended - 1} that it minted."
        if ended
        else f"API key {key.prefix} ({key.name}) was revoked before; nothing was changed."
    )


def _table(rows: Iterable[Row[ApiKey, str | None]]) -> Table:
    table = Table(title="API keys", title_justify="left")
    for column in ("Key", "Name", "Owner", "Reaches", "Scopes", "Last used", "State"):
        table.add_column(column)
    for key, user_name in rows:
        cells = (
            key.prefix,
            key.name,
            key.owner or "",
            user_name or "everyone",
            ", ".join(key.scopes),
            moment(key.last_used_at),
            _state(key),
        )
        table.add_row(*(shown(cell) for cell in cells))
    return table


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return f"revoked {moment(key.revoked_at)}"
    if key.expires_at is None:
        return "good until revoked"
    word = "good until" if key.is_alive(clock.now()) else "expired"
    return f"{word} {moment(key.expires_at)}"

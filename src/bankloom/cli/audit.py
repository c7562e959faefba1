"""`bankloom audit`: lists who did what, and verifies that nothing in the log was changed since."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bankloom.cli.item_tables import console
from bankloom.cli.opened import opened
from bankloom.cli.shown import shown
from bankloom.models.audit_entry import AuditEntry, AuditFilter
from bankloom.services import seal_audit, verify_audit
from bankloom.services.audit import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

    from bankloom.models.audit_entry import Link
    from bankloom.services.verify_audit import Verdict

app = typer.Typer(
    no_args_is_help=True, help="The audit log: who did what, and whether it is whole."
)

Since = Annotated[datetime | None, typer.Option(help="Only what was noted since then, in UTC.")]
OfAction = Annotated[Action | None, typer.Option("--action", help="Only this action.")]
OfActor = Annotated[str | None, typer.Option("--actor", help="Only what this actor did.")]
OfItem = Annotated[str | None, typer.Option("--item", help="Only what was done to this Item.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most, the newest first.")]
Heads = Annotated[
    list[str] | None,
    typer.Option("--head", help="An end that was noted elsewhere, as SEQ:HASH; repeatable."),
]


@app.command("list")
def list_(
    since: Since = None,
    action: OfAction = None,
    actor: OfActor = None,
    item: OfItem = None,
    limit: Limit = 50,
) -> None:
    """List who did what, the newest on top."""
    at = since and (since if since.tzinfo else since.replace(tzinfo=UTC))
    wanted = AuditFilter(since=at, action=action, actor=actor, item_id=item)
    with opened() as runtime, runtime.database.session() as session:
        rows = AuditEntry.page(session, wanted, None, limit)
    console().print(_table(rows) if rows else "There are no such entries.")


@app.command()
def verify(head: Heads = None) -> None:
    """Walk the whole log: say whether it is as it was written, and what its end is.

    Keep the end that it prints where those who could change the log can't, and give it as --head the
    next time: that proves that nothing was cut off.
    """
    given = [_link(words) for words in head or ()]
    with opened() as runtime, runtime.database.session() as session:
        kept = seal_audit.remembered(runtime.settings.data_dir)
        seen = [*given, *([kept] if kept else [])]
        verdict = verify_audit.now(runtime.keyring, session, seen)
    _tell(verdict, kept)
    if verdict.why:
        raise typer.Exit(1)


def _link(words: str) -> Link:
    try:
        return seal_audit.parse(words)
    except ValueError:
        raise typer.BadParameter("it is SEQ:HASH, as `bankloom audit verify` prints it") from None


def _tell(verdict: Verdict, kept: Link | None) -> None:
    if verdict.why:
        where = f"entry {verdict.broken_at}" if verdict.broken_at else "an entry not sealed yet"
        typer.echo(f"BROKEN at {where}: {verdict.why}.", err=True)
    typer.echo(f"{verdict.sealed} entries are sealed and good.")
    if verdict.sealed:
        typer.echo(f"The end: {seal_audit.as_text(verdict.end)}")
    if verdict.unsealed:
        oldest = verdict.oldest_unsealed_at and verdict.oldest_unsealed_at.isoformat(" ", "seconds")
        typer.echo(
            f"{verdict.unsealed} are not sealed yet, the oldest of {oldest}: a worker seals them "
            "within seconds, and until then nobody would miss one."
        )
    if kept is None:
        typer.echo("This data folder has seen no end before: a cut at the end would not be found.")


def _table(rows: Iterable[Row[AuditEntry, str | None]]) -> Table:
    table = Table(title="Audit log", title_justify="left")
    for column in ("No.", "When (UTC)", "Who", "Action", "Item", "Person", "Facts"):
        table.add_column(column, overflow="fold")
    for entry, user_name in rows:
        person = user_name or (str(entry.user_id) if entry.user_id else "")
        cells = (
            str(entry.seq or ""),
            entry.at.isoformat(" ", "seconds").removesuffix("+00:00"),
            entry.actor,
            entry.action,
            entry.item_id or "",
            person,
            json.dumps(entry.facts, ensure_ascii=False),
        )
        table.add_row(*(shown(cell) for cell in cells))
    return table

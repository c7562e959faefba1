"""`bankloom jobs`: shows the work and what needs you; tries again and cancels by hand."""

from __future__ import annotations

import uuid
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from bankloom.cli.item_tables import console, work_table
from bankloom.cli.opened import opened
from bankloom.core.errors import NotFoundError
from bankloom.models import Item
from bankloom.services import cancel_run, retry_items, show_run, work

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True, help="See what is done, waits and needs you; try again and cancel."
)

NeedsYou = Annotated[bool, typer.Option("--needs-you", help="Only what no waiting mends.")]
Name = Annotated[str, typer.Argument(metavar="ID|ITEM", help="A run's id, or an Item's.")]
OptionalName = Annotated[
    str | None, typer.Argument(metavar="ID|ITEM", help="A run's id, or an Item's.")
]
All = Annotated[bool, typer.Option("--all", help="All Items that a product fails of.")]


@app.command("list")
def list_(*, needs_you: NeedsYou = False) -> None:
    """List the work: what needs you, what runs, what is queued, and what waits for its time."""
    with opened() as runtime, runtime.database.session() as session:
        entries = list(work.needs_you(session))
        if not needs_you:
            entries += work.under_way(session)
    if not any(entry.standing is work.Standing.NEEDS_YOU for entry in entries):
        typer.echo("Nothing needs you.")
    order = list(work.Standing)
    entries.sort(key=lambda entry: order.index(entry.standing))  # stable: each keeps its own order
    for standing, group in groupby(entries, key=lambda entry: entry.standing):
        console().print(work_table(standing, group))


@app.command()
def retry(name: OptionalName = None, *, all_: All = False) -> None:
    """Make failed work due now, and ask for its run."""
    if (name is None) is not all_:
        raise typer.BadParameter("name a run or an Item, or say --all")
    with opened() as runtime:
        if name is None:
            typer.echo(f"Asked for the runs of {len(retry_items.every(runtime))} Items.")
            return
        item_id, _ = _named(runtime, name)
        run_id = retry_items.one(runtime, item_id)
    typer.echo(f"Asked for run {run_id} of Item {item_id}.")


@app.command()
def cancel(name: Name) -> None:
    """Cancel a run, or all runs of an Item, that have not ended; its schedule goes on."""
    with opened() as runtime:
        item_id, run_id = _named(runtime, name)
        cancelled = cancel_run.now(runtime, item_id, run_id)
    for each in cancelled:
        typer.echo(f"Cancelled run {each.run_id}; it was {each.was}.")
    if not cancelled:
        typer.echo("Nothing to cancel: no such run is queued or running.")


def _named(runtime: Runtime, name: str) -> tuple[str, uuid.UUID | None]:
    """Return the Item, and the run where one was named. Errors: `NotFoundError`."""
    try:
        run = show_run.run_now(runtime, uuid.UUID(name))
    except ValueError:
        with runtime.database.session() as session:
            if Item.find(session, name) is None:
                raise NotFoundError("There is no run and no Item of that id here.") from None
        return name, None
    return run.item_id, run.id

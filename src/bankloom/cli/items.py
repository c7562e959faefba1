"""`bankloom items`: looks at Items, syncs, refreshes and imports them, replaces their access tokens."""

from __future__ import annotations

import signal
import sys
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy.exc import IntegrityError

from bankloom.cli import signals
from bankloom.cli.item_tables import (
    console,
    item_table,
    items_table,
    moment,
    products_table,
    run_line,
)
from bankloom.cli.opened import opened
from bankloom.core.errors import BankloomError, InvalidRequestError, NotFoundError
from bankloom.core.logs import redact
from bankloom.models import Item, ItemState, RunStatus
from bankloom.services import (
    import_item,
    jobs,
    refresh_item,
    request_run,
    rotate_token,
    show_item,
    show_run,
)
from bankloom.services.api_access import EVERYONE, Caller
from bankloom.services.keyrings.processes import Announced

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Look at Items, sync, refresh and import them.")

WAIT_SECONDS_MAX = 900
POLL_SECONDS = 0.2
REFUSED = "refused"
_GOOD = {RunStatus.SYNCED, RunStatus.UP_TO_DATE, RunStatus.NOT_READY}

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Plaid's id of the Item.")]
UserName = Annotated[str, typer.Option("--user", help="Only those of this person.")]
States = Annotated[
    list[ItemState] | None, typer.Option("--state", help="Only those in this state; repeatable.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the run, at most 15 minutes.")]
AllowRemovals = Annotated[
    bool,
    typer.Option("--allow-removals", help="Agree to a rebuild that removes many transactions."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask: I know that it costs money.")]


@app.command("list")
def list_(user: UserName = EVERYONE, state: States = None) -> None:
    """List the linked Items; those that need a person are marked and say what to do."""
    with opened() as runtime, runtime.database.session() as session:
        views = show_item.views(session, Caller().scope(session, user), states=state or ())
    console().print(items_table(views) if views else "There are no such Items.")


@app.command()
def show(item: ItemId) -> None:
    """Show all that is known of an Item: its state and why, its products, how fresh they are."""
    with opened() as runtime, runtime.database.session() as session:
        views = show_item.views(session, None, item_id=item)
    if not views:
        raise _unknown_item()
    console().print(item_table(views[0]))
    console().print(products_table(views[0]))


@app.command()
def sync(item: ItemId, *, wait: Wait = False, allow_removals: AllowRemovals = False) -> None:
    """Ask for a run of an Item: pull what Plaid has. It costs nothing."""
    with opened() as runtime:
        with runtime.database.session() as session:
            found = Item.find(session, item)
            if found is None:
                raise _unknown_item()
            silent_seconds = runtime.settings.worker_silent_seconds
            if not jobs.a_worker_lives(session, silent_seconds):
                typer.echo("No worker runs: it waits for `bankloom serve` or a worker.", err=True)
            run_id = request_run.by_person(runtime, session, found, allow_removals=allow_removals)
        if not wait:
            typer.echo(f"Asked for run {run_id}; `bankloom jobs list` shows how it stands.")
            return
        run, begins_at = _wait_for(runtime, run_id)
    typer.echo(run_line(run))
    if begins_at:
        typer.echo(f"Plaid is not asked about this Item until {moment(begins_at)}; then it runs.")
    if run.status not in _GOOD:
        raise typer.Exit(1)


def _wait_for(runtime: Runtime, run_id: uuid.UUID) -> show_run.Standing:
    """Return how the run stands once it has ended, its Item cools, or the wait is over."""
    started = time.monotonic()
    with console().status("queued ...") as status:
        while True:
            standing = show_run.standing_now(runtime, run_id)
            seconds = time.monotonic() - started
            if show_run.has_ended(standing.run) or standing.begins_at or seconds > WAIT_SECONDS_MAX:
                return standing
            status.update(f"{standing.run.status} ... {seconds:.0f} s")
            time.sleep(POLL_SECONDS)


@app.command()
def refresh(item: ItemId, *, yes: Yes = False) -> None:
    """Have Plaid ask the bank again. Plaid bills each call; `sync` is what you mostly want."""
    if not yes:
        typer.confirm("Plaid bills each refresh. Have it ask the bank again?", abort=True)
    with opened() as runtime:
        request_id = refresh_item.now(runtime, item)
    typer.echo(f"Asked (Plaid's request id {request_id}). What is new comes by itself.")


@app.command("rotate-token")
def rotate_token_(item: ItemId) -> None:
    """Have Plaid replace an Item's access token, as after a leak. The old one is void at once.

    An app that was given the old token must ask with the Item's id from then on, or for the new one.
    """
    both = (signal.SIGINT, signal.SIGTERM)
    with opened() as runtime, signals.noted(*both):  # to stop in the middle would lose the new one
        rotate_token.now(runtime, item)
    typer.echo("Replaced and stored. A run proves it; `bankloom jobs list` shows how that stands.")


@app.command("import")
def import_() -> None:
    """Import Items linked elsewhere, a line each from standard input: ACCESS_TOKEN USER PRODUCTS.

    The products are separated by commas: access-production-… ada transactions,liabilities. Empty
    lines and those that begin with # are left out. It is safe to repeat.
    """
    done: Counter[str] = Counter()
    with opened() as runtime, Announced(runtime, "items import"):
        for number, line in enumerate(sys.stdin.buffer, start=1):
            if line.strip() and not line.lstrip().startswith(b"#"):
                done[_import_line(runtime, number, line)] += 1
    told = ", ".join(f"{count} {what}" for what, count in done.items())
    typer.echo(f"{told or 'Nothing to import'}.")
    if done[REFUSED]:
        raise typer.Exit(1)


def _import_line(runtime: Runtime, number: int, line: bytes) -> str:
    """Import one line and say how it went, without repeating any of it: it holds a secret."""
    try:
        item_id, what = import_item.now(runtime, import_item.Wanted.parse(_text(line)))
    except IntegrityError:
        typer.echo(f"line {number}: refused. An Item removed here has this id.", err=True)
        return REFUSED
    except BankloomError as error:
        typer.echo(f"line {number}: refused. {redact(error.message)}", err=True)
        return REFUSED
    typer.echo(f"line {number}: {what}, Item {item_id}")
    return what


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise InvalidRequestError("It is not UTF-8 text.") from None


def _unknown_item() -> NotFoundError:
    return NotFoundError("There is no Item of that id here; see `bankloom items list`.")

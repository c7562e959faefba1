"""`bankloom items remove` and `bankloom users erase`: at Plaid first, then here, with a receipt."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bankloom.cli import progress
from bankloom.cli.item_tables import console, moment
from bankloom.cli.opened import opened
from bankloom.models import Item, User
from bankloom.services import show_item
from bankloom.services.erasures import erase_item, erase_user, receipts
from bankloom.services.erasures.work import Effort

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.models import Erasure
    from bankloom.services.erasures.receipts import Receipt
    from bankloom.services.runtime import Runtime

users = typer.Typer(no_args_is_help=True, help="Erase people.")

ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Plaid's id of the Item.")]
UserName = Annotated[str, typer.Argument(metavar="USER", help="Your id of the person.")]
KeepData = Annotated[
    bool, typer.Option("--keep-data", help="Keep the accounts and transactions to be read.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask: I know that it can't be undone.")]


def remove(item: ItemId, *, keep_data: KeepData = False, yes: Yes = False) -> None:
    """Remove an Item at Plaid, which ends its billing, and delete its data. It can't be undone."""
    with opened() as runtime:
        if not yes:
            typer.confirm(_what_goes(runtime, item, keeps_data=keep_data), abort=True)
        with _shown("Erasing") as effort:
            wish = erase_item.Wish(keep_data)
            erasure = erase_item.now(runtime, item, effort, wish)
        _tell(receipts.find(runtime, erasure.id, None))


@users.callback()
def _group() -> None:
    """Keep `erase` a command of its own: a group of one would swallow its name."""


@users.command()
def erase(user: UserName, *, yes: Yes = False) -> None:
    """Erase a person: their Items at Plaid and here, their keys, all. It can't be undone."""
    with opened() as runtime:
        if not yes:
            typer.confirm(_who_goes(runtime, user), abort=True)
        with _shown("Erasing") as effort:
            erasure = erase_user.now(runtime, user, effort)
        _tell(receipts.find(runtime, erasure.id, None))


def _what_goes(runtime: Runtime, item_id: str, *, keeps_data: bool) -> str:
    with runtime.database.session() as session:
        views = show_item.views(session, None, item_id=item_id)
    if not views:
        return "It was erased before, if ever it was here. Look for its receipt?"
    (view,) = views
    accounts = view.facts.open_accounts + view.facts.closed_accounts
    data = "are kept" if keeps_data else "are deleted"
    return (
        f"Item {item_id} ({view.institution or 'unknown bank'}, of {view.user_name}) is removed at Plaid; "
        f"its {accounts} accounts and all their transactions {data}. "
        "To have it again, the person must link the bank anew. Go on?"
    )


def _who_goes(runtime: Runtime, name: str) -> str:
    with runtime.database.session() as session:
        user = User.find(session, name)
        if user is None:
            return "They were erased before, if ever they were here. Look for their receipt?"
        count = len(Item.ids_of_user(session, user.id))
    return (
        f"All {count} Items of {name} are removed at Plaid; all accounts, transactions, API keys and "
        "Link sessions of theirs are deleted. It can't be undone. Go on?"
    )


@contextmanager
def _shown(what: str) -> Iterator[Effort]:
    """Show how many rows are gone; whoever interrupts it leaves the rest to the running service."""
    gone = 0
    with progress.console.status(Text(f"{what} ...")) as status:

        def tell(table: str, rows: int) -> None:
            nonlocal gone
            gone += rows
            status.update(Text(f"{what}: {gone:,} rows gone ({table})"))

        yield Effort(lambda: False, tell)


def _tell(receipt: Receipt) -> None:
    """Print the receipt. Errors: `typer.Exit` where something is left to be erased."""
    out = console()
    for part in receipt.parts:
        out.print(Text(f"{part.subject} {part.item_id or part.subject_hash[:12]}: {_how(part)}"))
    for table, rows in receipt.rows_deleted.items():
        out.print(Text(f"{rows:>12,}  {table}"))
    erasure = receipt.erasure
    out.print(Text(f"Receipt {erasure.id}: {erasure.subject}, {_how(erasure)}"))
    if erasure.finished_at is None:
        raise typer.Exit(1)


def _how(erasure: Erasure) -> str:
    """Say how far an erasure has come."""
    removed = f"removed at Plaid {moment(erasure.removed_at)}" if erasure.removed_at else ""
    if erasure.already_gone:
        removed += f" (was gone: {erasure.already_gone})"
    if erasure.finished_at:
        ending = "data kept" if erasure.keeps_data else "erased"
    elif erasure.error_message:
        ending = f"NOT erased: {erasure.error_message} Tried again {moment(erasure.next_try_at)}."
    else:
        ending = "not finished: another process is at it, or the running service goes on"
    return ", ".join(filter(None, (removed, ending)))

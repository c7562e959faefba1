"""`bankloom webhooks`: shows what came, does its work again, tests the door."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bankloom.cli.item_tables import console
from bankloom.cli.opened import opened
from bankloom.cli.shown import shown
from bankloom.core.errors import NotFoundError
from bankloom.core.logs import redact
from bankloom.models import WebhookDelivery, WebhookRefusal
from bankloom.services.webhooks import (
    actions as webhook_actions,
)
from bankloom.services.webhooks import (
    bodies as webhook_bodies,
)
from bankloom.services.webhooks import (
    self_test as webhook_self_test,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

LOCAL_URL = "http://127.0.0.1:8000"

app = typer.Typer(
    no_args_is_help=True, help="See the webhooks that came, do their work again, test the door."
)

Unhandled = Annotated[bool, typer.Option("--unhandled", help="Only what is not handled yet.")]
Refused = Annotated[bool, typer.Option("--refused", help="What was not believed, and why.")]
OfItem = Annotated[str | None, typer.Option("--item", help="Only those of this Item.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most, the newest first.")]
DeliveryId = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="A delivery, see list.")]
DeliveryIds = Annotated[list[uuid.UUID], typer.Argument(metavar="ID...", help="Deliveries.")]
Url = Annotated[
    str | None,
    typer.Option(help=f"Where the service answers; else BANKLOOM_PUBLIC_URL or {LOCAL_URL}."),
]


@app.command("list")
def list_(
    item: OfItem = None,
    limit: Limit = 20,
    *,
    unhandled: Unhandled = False,
    refused: Refused = False,
) -> None:
    """List the webhooks that came, the newest on top."""
    with opened() as runtime, runtime.database.session() as session:
        if refused:
            console().print(_refusals(WebhookRefusal.listing(session)))
            return
        found = WebhookDelivery.newest(session, limit, item_id=item, unhandled=unhandled)
        console().print(_deliveries(found))
        _say_what_else(session)


@app.command()
def show(delivery_id: DeliveryId) -> None:
    """Show one webhook with its body; tokens in it are blacked out."""
    with opened() as runtime:
        with runtime.database.session() as session:
            delivery = _found(session, delivery_id)
        body = webhook_bodies.opened(runtime, delivery)
    for name in ("id", "kid", "issued_at", "received_at", "attempts", "next_try_at", "handled_at"):
        typer.echo(f"{name + ':':14}{getattr(delivery, name) or '-'}")
    typer.echo(f"{'outcome:':14}{delivery.outcome}")
    typer.echo(redact(json.dumps(body, indent=2, ensure_ascii=False)))


@app.command()
def replay(delivery_ids: DeliveryIds) -> None:
    """Do again what these webhooks ask for, whether it was done before or not."""
    with opened() as runtime:
        for delivery_id in delivery_ids:
            with runtime.database.session() as session:
                delivery = _found(session, delivery_id)
                outcome = webhook_actions.replay(runtime, session, delivery)
            typer.echo(f"{delivery_id}: {outcome}")


@app.command("self-test")
def self_test(url: Url = None) -> None:
    """Send good and bad webhooks to the running service, and show how it judged each."""
    with opened() as runtime:
        target = url or runtime.settings.public_url or LOCAL_URL
        results = webhook_self_test.now(runtime, target)
    table = _table(f"The door at {target}", "Delivery", "Expected", "Given", "")
    for result in results:
        table.add_row(
            result.name, result.expected, result.given, "ok" if result.is_right else "WRONG"
        )
    console().print(table)
    if not all(result.is_right for result in results):
        raise typer.Exit(1)


def _found(session: Session, delivery_id: uuid.UUID) -> WebhookDelivery:
    delivery = session.get(WebhookDelivery, delivery_id)
    if delivery is None:
        raise NotFoundError(
            f"There is no webhook {delivery_id}. `bankloom webhooks list` has them."
        )
    return delivery


def _say_what_else(session: Session) -> None:
    waiting = WebhookDelivery.waiting_for_an_item(session)
    if waiting:
        typer.echo(
            f"{waiting} wait for Items that are not held here. If one never comes, Plaid may have an "
            "Item that nobody owns: look for it in the Plaid Dashboard."
        )
    refused = sum(each.count for each in WebhookRefusal.listing(session))
    if refused:
        typer.echo(f"{refused} were refused: see --refused.")


def _deliveries(found: Sequence[WebhookDelivery]) -> Table:
    table = _table("Webhooks", "Received", "Id", "Type", "Code", "Item", "Tries", "Outcome")
    for each in found:
        item_id, outcome = each.item_id or "", each.outcome or ""
        cells = (str(each.id), each.webhook_type, each.webhook_code, item_id, str(each.attempts))
        table.add_row(*(shown(cell) for cell in (_time(each.received_at), *cells, outcome)))
    return table


def _refusals(found: Sequence[WebhookRefusal]) -> Table:
    table = _table("Refused", "Verdict", "Count", "Last", "From", "Key", "Bytes", "Begins")
    for each in found:
        facts = (each.verdict, str(each.count), _time(each.last_at))
        for number, sample in enumerate(each.samples):
            told = (str(sample[name] or "") for name in ("remote", "kid", "bytes", "body"))
            table.add_row(*(shown(cell) for cell in (*(facts if number == 0 else [""] * 3), *told)))
    return table


def _time(at: datetime) -> str:
    return at.isoformat(" ", "seconds")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table

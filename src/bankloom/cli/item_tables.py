"""Shows Items and work as tables: what needs a person is marked, and says what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bankloom.cli.shown import shown
from bankloom.models import ItemState, RunStatus
from bankloom.services.work import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bankloom.models import SyncRun
    from bankloom.services.show_item import ItemView
    from bankloom.services.work import Entry

PIPE_WIDTH = 250
"""Columns where there is no terminal: an id must stay in one piece for the next program."""

_MARK = "bold red"
_STYLES = {ItemState.HEALTHY: "green", ItemState.DEGRADED: "yellow"}


def console() -> Console:
    """Return the console for tables."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def items_table(views: Iterable[ItemView]) -> Table:
    """Return a table with a row an Item."""
    rows = [
        (
            shown(view.item.item_id),
            shown(view.user_name),
            shown(view.institution or ""),
            _state(view),
            Text("\n".join(f"{tag.product}: {tag.state}" for tag in view.tags)),
            Text(moment(view.next_try_at)),
            _what_to_do(view),
        )
        for view in views
    ]
    names = ("Item", "Person", "Bank", "State", "Products", "Next try", "What to do")
    return _table("Items", names, rows)


def item_table(view: ItemView) -> Table:
    """Return a table with all that is told of one Item, a line a fact."""
    item, facts, error = view.item, view.facts, view.last_error
    table = Table(show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    lines: dict[str, Text | str] = {
        "Item": item.item_id,
        "Person": view.user_name,
        "Bank": view.institution or item.institution_id or "not known yet",
        "State": _state(view),
        "Since": moment(item.state_since),
        "What to do": _what_to_do(view),
        "Last error": f"{error.code}: {error.message} {moment(error.at)}" if error else "none",
        "Plaid's request id": (error.request_id or "none") if error else "none",
        "Next try": moment(view.next_try_at) or "none: only a person or a webhook",
        "Cooling until": moment(item.cooling_until) or "not cooling",
        "Consent expires": moment(item.consent_expires_at) or "never",
        "Disconnected on": moment(item.disconnect_at) or "not announced",
        "New accounts": moment(item.new_accounts_at) or "none announced",
        "Webhooks go to": item.webhook_url or "nowhere: it is polled",
        "Days asked for": str(item.days_requested or "not known"),
        "Oldest transaction": str(facts.oldest_date or "none yet"),
        "Accounts": f"{facts.open_accounts} listed, {facts.closed_accounts} no longer",
    }
    for name, value in lines.items():
        table.add_row(name, shown(value) if isinstance(value, str) else value)
    return table


def products_table(view: ItemView) -> Table:
    """Return a table with a row a product of the Item."""
    rows = []
    for tag in view.tags:
        fresh = view.freshness(tag)
        error = f"{tag.error_code}: {tag.error_message}" if tag.error_code else ""
        times = (fresh.bank_updated_at, fresh.plaid_tried_at, fresh.pulled_at, tag.next_try_at)
        rows.append([shown(cell) for cell in (tag.product, tag.state, *map(moment, times), error)])
    names = ("Product", "State", "Bank gave", "Plaid tried", "We pulled", "Next try", "Error")
    return _table("Products", names, rows)


def work_table(standing: Standing, entries: Iterable[Entry]) -> Table:
    """Return a table of the work that stands so."""
    rows = [
        [
            shown(entry.what),
            shown(entry.item_id or ""),
            shown("" if entry.id == entry.item_id else entry.id),
            shown(entry.user_name or ""),
            Text(moment(entry.at)),
            shown(entry.detail),
        ]
        for entry in entries
    ]
    when = "Next try" if standing is Standing.WAITING else "Since"
    urgent = standing is Standing.NEEDS_YOU
    names = ("What", "Item", "Id", "Person", when, "What to do" if urgent else "Why")
    return _table(standing.capitalize(), names, rows, _MARK if urgent else "bold")


def run_line(run: SyncRun) -> str:
    """Return how a run ended, in a line."""
    if run.error_code:
        return f"{run.status}: {run.error_code}. {run.error_message}"
    counts = f"{run.added} added, {run.modified} modified, {run.removed} removed"
    return f"{run.status}: {counts}" if run.status == RunStatus.SYNCED else run.status


def moment(at: datetime | None) -> str:
    """Write an instant for people, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at else ""


def _state(view: ItemView) -> Text:
    if view.needs_person:
        return Text(f"! {view.item.state}", style=_MARK)
    return Text(view.item.state, style=_STYLES.get(ItemState(view.item.state), ""))


def _what_to_do(view: ItemView) -> Text:
    reason = view.reason
    if reason is None:
        return Text("")
    code = f"{reason.code}: " if reason.code else ""
    return shown(code + reason.message, style=_MARK if view.needs_person else "")


_WHOLE = {"Item", "Id", "State", "Next try", "Since"}
"""Columns whose cells stay in one piece, because people copy them or compare them by eye."""


def _table(
    title: str, names: Sequence[str], rows: Sequence[Sequence[Text]], title_style: str = "bold"
) -> Table:
    """Return a table of those columns that hold anything."""
    table = Table(title=title, title_justify="left", title_style=title_style)
    shown = [place for place in range(len(names)) if any(row[place].plain for row in rows)]
    for place in shown:
        table.add_column(names[place], overflow="fold", no_wrap=names[place] in _WHOLE)
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    return table

"""Shows long work on stderr while it goes on, and can be ended by Ctrl-C or SIGTERM without a trace."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bankloom.services.copy_database import Compared
    from bankloom.services.table_hashes import TableHash

_HASH_SHOWN = 12

console = Console(stderr=True)


@contextmanager
def shown(what: str) -> Iterator[Callable[[str, int], None]]:
    """Show what is at work; give a function that adds the table at hand and how many bytes of it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves in order, as after a Ctrl-C
    with console.status(Text(what)) as status:

        def tell(table: str, loaded_bytes: int) -> None:
            status.update(Text(f"{what}: {table} {size(loaded_bytes)}".rstrip()))

        yield tell


def size(count_bytes: int) -> str:
    """Say how much that is; nothing for nothing."""
    if count_bytes < 1_000_000:  # noqa: PLR2004 - a megabyte
        return f"{count_bytes / 1000:,.0f} kB" if count_bytes else ""
    return f"{count_bytes / 1_000_000:,.1f} MB"


def comparison(compared: list[Compared]) -> Table:
    """Return a table of counts and hashes on both sides."""
    table = Table(title="Compared", title_justify="left")
    table.add_column("Table")
    table.add_column("Rows", justify="right")
    for name in ("Hash of the original", "Hash of the copy", ""):
        table.add_column(name)
    for each in compared:
        rows = [f"{side.rows:,}" if side else "-" for side in (each.source, each.target)]
        table.add_row(
            Text(each.name),
            rows[0] if each.is_equal else " / ".join(rows),
            _hash(each.source),
            _hash(each.target),
            "equal" if each.is_equal else "DIFFERENT",
        )
    return table


def _hash(side: TableHash | None) -> str:
    return side.hash[:_HASH_SHOWN] if side else "no such table"

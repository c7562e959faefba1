"""Shows long work on stderr while it goes on, and what a comparison has found."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bankloom.services.copies.copy_database import Compared

_HASH_SHOWN = 12

console = Console(stderr=True)


@contextmanager
def shown(what: str) -> Iterator[Callable[[str, int], None]]:
    """Show what is at work; give a function that adds the table at hand and how many bytes of it."""
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
    """Return a table of counts and hashes; of both sides, where they differ."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("Table", no_wrap=True)
    table.add_column("Rows", justify="right")
    table.add_column("Hash")
    table.add_column("")
    for each in compared:
        sides = (each.source,) if each.is_equal else (each.source, each.target)
        table.add_row(
            Text(each.name),
            " / ".join(f"{side.rows:,}" if side else "none" for side in sides),
            " / ".join(side.hash[:_HASH_SHOWN] if side else "none" for side in sides),
            "equal" if each.is_equal else "DIFFERENT",
        )
    return table

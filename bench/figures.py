"""A measured figure: a value beside its reference, as a row of the table and of the JSON file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path


class Figure(msgspec.Struct, frozen=True):
    """`value` and `reference` are in `unit`; `ratio` is the one over the other.

    Where several rounds were measured, value and reference are medians, and so is the ratio of
    the rounds.
    """

    name: str
    value: float
    unit: str
    reference: float
    ratio: float


class Target(msgspec.Struct, frozen=True):
    """A bound of the ratio, and which side of it is good."""

    ratio: float
    at_least: bool = False

    def is_met(self, ratio: float) -> bool:
        """Say whether a ratio is on the good side."""
        return ratio >= self.ratio if self.at_least else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.ratio:g}"


_TABLE_CHARS = 100  # a pipe would get 80, and columns cut short

TARGETS = {
    "ingest_vs_typical": Target(30, at_least=True),
    "ingest_vs_floor": Target(0.5, at_least=True),
    "statements_per_page": Target(1),
    "backfill_rss_1m_vs_100k": Target(1.25),
    "incremental_1m_vs_10k": Target(1.3),
    "jobs_per_second": Target(0.07, at_least=True),
    "idle_cpu_percent": Target(1),
    "idle_rss_mib": Target(2),
    "webhook_p50": Target(6),
    "webhook_p99": Target(6),
    "webhook_vs_bare": Target(0.1, at_least=True),
    "webhook_p99_while_backfilling": Target(1),
    "webhook_to_rows_p50": Target(5),
    "webhook_to_rows_p99": Target(5),
    "emulator_page_p99": Target(1),
    "emulator_start": Target(1),
}


def show(figures: list[Figure]) -> None:
    """Print the table."""
    table = Table("figure", "value", "reference", "unit", "ratio", "target", "")
    for column in (1, 2, 4, 5):
        table.columns[column].justify = "right"
    for figure in figures:
        target = TARGETS[figure.name]
        numbers = (f"{figure.value:,.1f}", f"{figure.reference:,.1f}", figure.unit)
        verdict = "met" if target.is_met(figure.ratio) else "MISSED"
        table.add_row(figure.name, *numbers, f"{figure.ratio:.2f}", str(target), verdict)
    Console(width=_TABLE_CHARS).print(table)


def write(figures: list[Figure], path: Path) -> None:
    """Write the figures as a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")

"""The page on scaling says what the simulation says, but for what was measured on some machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import scaling
import tables
from bounds import of_constants, of_plaid
from fleet import CALLS, Fleet

from bankloom.core import confined
from bankloom.core.db import POOL_OVERFLOW, POOL_SIZE
from bankloom.services import rate_limits

PAGE = (Path(__file__).parents[2] / "docs/scaling.md").read_text()


def shown(name: str) -> list[str]:
    """Return the lines of a table as the page has it."""
    (table,) = re.findall(f"<!-- simulated: {name} -->\n\n(.*?)\n\n<!-- end -->", PAGE, re.DOTALL)
    return str(table).splitlines()


@pytest.mark.parametrize("name", tables.COLUMNS)
def test_every_table_has_the_columns_of_the_script(name: str) -> None:
    """Each table that `make simulate` prints stands in the page once, whole."""
    header, _, *rows = shown(name)
    assert header == f"| {' | '.join(tables.COLUMNS[name])} |"
    assert rows
    assert {row.count("|") for row in rows} == {header.count("|")}


def test_the_assumptions_are_those_of_the_simulation() -> None:
    """Nothing is assumed that the page does not tell, nor otherwise than it tells."""
    assert shown("assumptions") == tables.assumed().splitlines()


def test_what_an_item_causes_is_what_the_code_makes_it_cause() -> None:
    """Intervals, limits and bounds of the code are those that the page was made with."""
    usual, late, polled = scaling.demand(), scaling.demand(1), scaling.demand(0)
    assert shown("demand") == tables.demanded(usual, late, polled).splitlines()
    read = [*of_plaid(usual, late), *of_constants(usual, polled)]
    assert set(tables.bounded(read).splitlines()) <= set(shown("bounds"))


def test_the_advice_quotes_the_bounds() -> None:
    """Where webhooks begin to wait, and where a day no longer does, is what the table says."""
    (row,) = (row for row in shown("bounds") if "Production: `/transactions/sync`" in row)
    waits, _, fails = row.strip("| ").split(" | ")[-3:]
    assert f"from {waits} Items on, webhooks wait" in PAGE
    assert f"from {fails} Items on, work is left over" in PAGE


@pytest.mark.parametrize("items_and_fleet", scaling.GROWTH, ids=lambda each: each[1].name)
def test_the_fleets_are_held_to_plaids_limits(items_and_fleet: tuple[int, Fleet]) -> None:
    """Each row of the fleets names the limits of its environment, and keeps within them."""
    items, fleet = items_and_fleet
    (row,) = (row for row in shown("growth") if row.startswith(f"| {items:,} | {fleet.name} |"))
    used = re.findall(r"([\d,]+) of ([\d,]+)", row)
    numbers = [(int(a.replace(",", "")), int(b.replace(",", ""))) for a, b in used]
    limits = rate_limits.read(None, fleet.environment)
    owed = [fleet.limit_times * (limits[path].client or 0) for path in CALLS]
    assert [limit for _, limit in numbers] == owed
    assert all(calls <= limit for calls, limit in numbers)


def test_the_limits_of_linking_are_those_of_the_table() -> None:
    """What an import of many Items meets first is read from Plaid's limits."""
    limits = rate_limits.read(None, "production")
    institutions = limits["/institutions/get_by_id"].client or 0
    begun = limits["/transactions/sync"].empty_cursor or 0
    a_minute, begun_a_minute = (
        60 / rate_limits.Limit(calls).step_seconds for calls in (institutions, begun)
    )
    text = " ".join(PAGE.split())
    assert f"answers {institutions} a minute and the budget lets {int(a_minute)} through" in text
    assert f"from the empty cursor, {begun} and {int(begun_a_minute)} in Production" in text
    assert f"an import of 100,000 Items takes {100_000 / a_minute / 60:.1f} hours" in text


def test_the_connections_are_those_of_the_pool() -> None:
    """What `max_connections` has to allow is counted from what a process may open."""
    sessions = POOL_SIZE + POOL_OVERFLOW + confined.POOL_SIZE + confined.POOL_OVERFLOW
    text = " ".join(PAGE.split())
    assert f"may open {sessions + 6}, {sessions} for its sessions and 6 for its worker" in text
    assert f"4 web processes and 16 workers: {20 * (sessions + 6)}" in text


def test_a_table_is_put_in_its_place() -> None:
    """`--write` replaces the table of that name and nothing else; a page without it is refused."""
    page = "a\n<!-- simulated: one -->\nold\n<!-- end -->\nb\n<!-- simulated: two -->\nx\n<!-- end -->\n"
    assert tables.put(page, "one", r"new \1") == page.replace("old", "\nnew \\1\n")
    with pytest.raises(ValueError, match="no place for the table three"):
        tables.put(page, "three", "new")

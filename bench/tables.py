"""The tables of docs/scaling.md, as text; each stands there between marks that name it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import assumptions
from fleet import CALLS

from bankloom.core.settings import Settings
from bankloom.services import rate_limits
from bankloom.services.plaid_client import DAYS_REQUESTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bounds import Bound
    from costs import RowSize
    from fleet import Costs
    from scaling import Demand, Grown

MANY_ROWS = 10**8
RETENTION_DAYS = int(Settings.model_fields["retention_days"].default)
_YEAR_DAYS = 365
WEBHOOKS = assumptions.WEBHOOKS_AN_UPDATE.value

COLUMNS = {
    "assumptions": ("assumed", "value", "why"),
    "costs": ("measured", "value"),
    "demand": ("an Item causes", f"{WEBHOOKS:g} webhooks an update", "1 webhook an update", "polled only"),
    "bounds": (
        "what is used up", "it allows", "an Item a day", "Items, busiest hour",
        "where webhooks wait", "Items, whole day",
    ),
    "growth": (
        "Items", "fleet", "runs/s", "slots", "workers", "web", "cores", "commits/s",
        *(f"`{path}` a minute" for path in CALLS), "p50", "p99",
    ),
    "storage": ("table", "rows of an Item", "because", "10⁸ rows at Items"),
}  # fmt: skip


def assumed() -> str:
    """Return what is assumed."""
    rows = ((each.what, f"{each.value:g}", each.source) for each in assumptions.ALL)
    return _table("assumptions", rows)


def measured(costs: Costs, size: RowSize) -> str:
    """Return what was measured."""
    return _table(
        "costs",
        [
            ("a worker's processor, a call of a run", _ms(costs.worker_seconds_a_call)),
            ("the database's processor, a call of a run", _ms(costs.database_seconds_a_call)),
            ("commits, a call of a run", f"{costs.commits_a_call:.1f}"),
            ("a web process's processor, a delivery", _ms(costs.web_seconds_a_delivery)),
            ("the database's processor, a delivery", _ms(costs.database_seconds_a_delivery)),
            ("commits, a delivery", f"{costs.commits_a_delivery:.1f}"),
            ("the database's processor, a look for jobs", _ms(costs.database_seconds_a_fetch)),
            ("a commit, until it is on the disk of here", _ms(costs.commit_seconds)),
            ("bytes of a transaction in its table", f"{size.table:,.0f}"),
            ("… of which Plaid's JSON, before compression", f"{size.payload:,.0f}"),
            ("… and in its indexes", f"{size.indexes:,.0f}"),
        ],
    )


def demanded(usual: Demand, told_once: Demand, polled: Demand) -> str:
    """Return what an Item causes a day."""
    all_ = (usual, told_once, polled)
    rows = [
        ("webhooks a day", *(f"{each.deliveries:.1f}" for each in all_)),
        ("runs a day", *(f"{each.runs:.1f}" for each in all_)),
        ("… of which the schedule's", *(f"{each.scheduled:.1f}" for each in all_)),
        *((f"`{path}` a day", *(f"{each.calls[path]:.1f}" for each in all_)) for path in CALLS),
        ("from Plaid's finding to rows, p50", *(_delay(each.delay_p50) for each in all_)),
        ("… p99", *(_delay(each.delay_p99) for each in all_)),
    ]
    return _table("demand", rows)


def bounded(bounds: Iterable[Bound]) -> str:
    """Return what bounds the number of Items."""
    return _table(
        "bounds",
        (
            (
                bound.name,
                bound.allows,
                f"{bound.by_item:.2f}",
                _count(bound.items_at_peak),
                f"{bound.by_item_late:.2f}",
                _count(bound.items),
            )
            for bound in bounds
        ),
    )


def grown(fleets: Iterable[Grown]) -> str:
    """Return how fleets fared."""
    return _table("growth", map(_grown, fleets))


def _grown(each: Grown) -> Sequence[str]:
    limits = rate_limits.read(None, each.fleet.environment)
    calls = []
    for path in CALLS:
        limit = each.fleet.limit_times * (limits[path].client or 0)
        calls.append(f"{each.calls_a_minute[path]:,.0f} of {limit:,}")
    return (
        f"{each.items:,}",
        each.fleet.name,
        f"{each.runs_a_second:.1f}",
        *(f"{share:.0%}" for share in (each.slots, each.interpreters, each.web, each.cores)),
        f"{each.commits_a_second:,.0f}",
        *calls,
        *(
            "falls behind" if each.falls_behind else _delay(delay)
            for delay in (each.delay_p50, each.delay_p99)
        ),
    )


def stored(usual: Demand, size: RowSize) -> str:
    """Return which tables pass 10^8 rows, and at how many Items."""
    a_day, accounts = assumptions.TRANSACTIONS_A_DAY.value, assumptions.ACCOUNTS.value
    gib = MANY_ROWS * (size.table + size.indexes) / 2**30
    kept = f"{RETENTION_DAYS} days are kept"
    rows = [
        ("`transactions`", DAYS_REQUESTED * a_day, f"the history; 10⁸ are {gib:,.0f} GiB"),
        ("`transactions`", (DAYS_REQUESTED + 3 * _YEAR_DAYS) * a_day, "three years later"),
        ("`balance_snapshots`", 3 * _YEAR_DAYS * accounts, "three years, one an account a day"),
        ("`webhook_deliveries`", RETENTION_DAYS * usual.deliveries, kept),
        ("`sync_runs`", RETENTION_DAYS * usual.runs, kept),
    ]
    return _table(
        "storage",
        ((name, f"{each:,.0f}", why, _count(MANY_ROWS / each)) for name, each, why in rows),
    )


def put(document: str, name: str, text: str) -> str:
    """Return the document with a table in its place. Errors: `ValueError` where it has none."""
    begin, end = f"<!-- simulated: {name} -->\n", "<!-- end -->"
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(place.findall(document)) != 1:
        raise ValueError(f"the document has no place for the table {name}, or several")
    return place.sub(lambda _: f"{begin}\n{text}\n\n{end}", document)


def _table(name: str, rows: Iterable[Sequence[str]]) -> str:
    columns = COLUMNS[name]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2g} ms"


def _delay(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 - two minutes, from where on minutes say more
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - as above


def _count(number: float) -> str:
    """Write two figures: no more of it is known."""
    return f"{float(f'{number:.1e}'):,.0f}"

"""What `GET /metrics` looks up at each scrape: how the tables and this process stand now."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from sqlalchemy.pool import QueuePool

from bankloom.models import tallies
from bankloom.services import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from bankloom.models.tallies import Tally
    from bankloom.services.runtime import Runtime


@dataclass(frozen=True)
class Gauge:
    """Something that is looked up, under its Prometheus name."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Runtime, Session], Tally]


def _build(_runtime: Runtime, _session: Session) -> Tally:
    return {(version("bankloom"), platform.python_version()): 1}


def _connections(runtime: Runtime, _session: Session) -> Tally:
    """Count this process's connections for sessions; this very scrape uses one."""
    confined = runtime.wall.pool
    engines = [runtime.database.engine, *([confined.engine] if confined else ())]
    pools = [engine.pool for engine in engines if isinstance(engine.pool, QueuePool)]
    in_use, idle = (pool.checkedout() for pool in pools), (pool.checkedin() for pool in pools)
    return {("in use",): sum(in_use), ("idle",): sum(idle)}


def _budget_left(runtime: Runtime, session: Session) -> Tally:
    return {(each.endpoint,): each.left for each in runtime.budget.left(session)}


def _budget_limit(runtime: Runtime, session: Session) -> Tally:
    return {(each.endpoint,): each.limit for each in runtime.budget.left(session)}


def _tables(read: Callable[[Session], Tally]) -> Callable[[Runtime, Session], Tally]:
    return lambda _runtime, session: read(session)


GAUGES = (
    Gauge("bankloom_items", "Items, by state.", ("state",), _tables(tallies.items)),
    Gauge(
        "bankloom_product_tags",
        "Product tags of Items that are not removed, by product and state.",
        ("product", "state"),
        _tables(tallies.product_tags),
    ),
    Gauge(
        "bankloom_due_tags",
        "Product tags that are due and that no run has claimed.",
        (),
        _tables(tallies.due_tags),
    ),
    Gauge(
        "bankloom_lag_seconds",
        "How long the longest due product tag has been due.",
        (),
        _tables(tallies.lag_seconds),
    ),
    Gauge(
        "bankloom_runs",
        "Runs that have not ended, by status.",
        ("status",),
        _tables(tallies.unfinished_runs),
    ),
    Gauge(
        "bankloom_jobs",
        "Jobs of the engine, by queue and state.",
        ("queue", "state"),
        _tables(jobs.tally),
    ),
    Gauge(
        "bankloom_webhook_deliveries_unhandled",
        "Stored webhook deliveries that wait for a run, an exchange or their Item.",
        (),
        _tables(tallies.unhandled_deliveries),
    ),
    Gauge(
        "bankloom_plaid_budget_left",
        "Calls to Plaid that the rate limit of the client leaves right now, by endpoint.",
        ("endpoint",),
        _budget_left,
    ),
    Gauge(
        "bankloom_plaid_budget_limit",
        "Calls to Plaid a minute that the client's rate limit allows, by endpoint.",
        ("endpoint",),
        _budget_limit,
    ),
    Gauge(
        "bankloom_database_connections",
        "Connections that the answering process has open for its sessions, by state.",
        ("state",),
        _connections,
    ),
    Gauge(
        "bankloom_build_info",
        "Always 1; the labels tell what answers.",
        ("version", "python"),
        _build,
    ),
)

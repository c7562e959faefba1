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


@dataclass(frozen=True)
class Gauge:
    """Something that is looked up, under its Prometheus name."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Session], Tally]


def _build(_session: Session) -> Tally:
    return {(version("bankloom"), platform.python_version()): 1}


def _connections(session: Session) -> Tally:
    """Count this process's connections for sessions; this very scrape uses one."""
    pool = session.get_bind().engine.pool
    if not isinstance(pool, QueuePool):
        return {}
    return {("in use",): pool.checkedout(), ("idle",): pool.checkedin()}


GAUGES = (
    Gauge("bankloom_items", "Items, by state.", ("state",), tallies.items),
    Gauge(
        "bankloom_product_tags",
        "Product tags of Items that are not removed, by product and state.",
        ("product", "state"),
        tallies.product_tags,
    ),
    Gauge(
        "bankloom_due_tags",
        "Product tags that are due and that no run has claimed.",
        (),
        tallies.due_tags,
    ),
    Gauge(
        "bankloom_lag_seconds",
        "How long the longest due product tag has been due.",
        (),
        tallies.lag_seconds,
    ),
    Gauge(
        "bankloom_runs",
        "Runs that have not ended, by status.",
        ("status",),
        tallies.unfinished_runs,
    ),
    Gauge(
        "bankloom_jobs", "Jobs of the engine, by queue and state.", ("queue", "state"), jobs.tally
    ),
    Gauge(
        "bankloom_webhook_deliveries_unhandled",
        "Stored webhook deliveries that wait for a run, an exchange or their Item.",
        (),
        tallies.unhandled_deliveries,
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

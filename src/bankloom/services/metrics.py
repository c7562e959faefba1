"""What `GET /metrics` tells: what all processes have counted, and how the tables stand now."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from sqlalchemy import text

from bankloom.models import Counter, tallies
from bankloom.models.counter import Count
from bankloom.services import keep_counts
from bankloom.services.counted import COUNTED, DELIVERIES
from bankloom.services.gauges import GAUGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric
    from sqlalchemy.orm import Session

    from bankloom.core.counting import Counted
    from bankloom.models.tallies import Tally
    from bankloom.services.gauges import Gauge
    from bankloom.services.runtime import Runtime

QUERY_SECONDS_MAX = 5
"""Prometheus gives up after 10 s; a query that takes this long is not worth the next."""


def text_of(runtime: Runtime, accept: str) -> tuple[bytes, str]:
    """Return all metrics in the format that the `Accept` header asks for, and its content type."""
    keep_counts.now(runtime)  # so that this process tells of all that it has counted
    with runtime.database.session() as session:
        session.execute(text(f"SET LOCAL statement_timeout = '{QUERY_SECONDS_MAX}s'"))
        gauges = [_gauge(each, each.read(runtime, session)) for each in GAUGES]
        families = [*_counters(session), *gauges]
    registry = CollectorRegistry()
    registry.register(_Collected(families))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collected(Collector):
    """Metrics that were collected before, in a session that is over when they are written out."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: the registry is for one answer."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _counters(session: Session) -> Iterator[Metric]:
    names = [name for each in COUNTED for name in _names(each)]
    counts = Counter.read(session, names)
    refused = tallies.refusals(session).items()
    counts += [
        Count(DELIVERIES.name, {"verdict": verdict}, number) for (verdict,), number in refused
    ]
    for each in COUNTED:
        yield (_histogram if each.buckets else _counter)(each, counts)


def _names(what: Counted) -> tuple[str, ...]:
    return (f"{what.name}_bucket", f"{what.name}_sum") if what.buckets else (what.name,)


def _counter(what: Counted, counts: list[Count]) -> Metric:
    family = CounterMetricFamily(what.name, what.help, labels=what.labels)
    for each in counts:
        if each.name == what.name:
            family.add_metric([each.labels[label] for label in what.labels], each.value)
    return family


def _histogram(what: Counted, counts: list[Count]) -> Metric:
    """Return a histogram; each bucket of Prometheus's holds those below it too."""
    family = HistogramMetricFamily(what.name, what.help, labels=what.labels)
    alone = {
        frozenset(each.labels.items()): each.value
        for each in counts
        if each.name == f"{what.name}_bucket"
    }
    for each in counts:
        if each.name == f"{what.name}_sum":
            in_order = (
                alone.get(frozenset({**each.labels, "le": str(bound)}.items()), 0)
                for bound in what.bounds
            )
            buckets = zip(map(floatToGoString, what.bounds), accumulate(in_order), strict=True)
            family.add_metric(
                [each.labels[label] for label in what.labels], list(buckets), each.value
            )
    return family


def _gauge(what: Gauge, tally: Tally) -> Metric:
    family = GaugeMetricFamily(what.name, what.help, labels=what.labels)
    for labels, value in tally.items():
        family.add_metric(labels, value)
    return family

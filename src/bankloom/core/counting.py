"""Counts what happens in this process: in memory, until the counts are taken to where all are kept."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import dataclass

LABEL_SETS_MAX = 500
"""How many label sets of one name a process tells apart; a value that nobody foresaw ends there."""

OTHER = "other"

Changes = dict[tuple[str, str], float]
"""By how much a counter has grown, by its name and its labels as JSON, keys in order."""


@dataclass(frozen=True)
class Counted:
    """One thing that is counted, under its Prometheus name.

    `buckets` are the upper bounds of a histogram, in order. It is kept as counters: `_bucket` for
    each bound, of those alone that lie between it and the bound before, and `_sum`.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def bounds(self) -> tuple[float, ...]:
        """The upper bounds of all buckets, that of the last included."""
        return (*map(float, self.buckets), math.inf)


class Counts:
    """What was counted and not taken yet; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: Changes = {}
        self._known: dict[str, set[str]] = {}

    def add(self, what: Counted, amount: float = 1, **labels: str) -> None:
        """Count something once, or so many times."""
        with self._lock:
            self._add(what.name, labels, amount)

    def observe(self, what: Counted, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        bound = next(bound for bound in what.bounds if value <= bound)
        with self._lock:
            self._add(f"{what.name}_bucket", {**labels, "le": str(bound)}, 1)
            self._add(f"{what.name}_sum", labels, value)

    def take(self) -> Changes:
        """Return what was counted since the last time, and forget it."""
        with self._lock:
            changes, self._changes = self._changes, {}
        return changes

    def give_back(self, changes: Changes) -> None:
        """Count again what was taken and could not be kept."""
        with self._lock:
            for key, amount in changes.items():
                self._changes[key] = self._changes.get(key, 0) + amount

    def _add(self, name: str, labels: dict[str, str], amount: float) -> None:
        key = (name, self._bounded(name, labels))
        self._changes[key] = self._changes.get(key, 0) + amount

    def _bounded(self, name: str, labels: dict[str, str]) -> str:
        known = self._known.setdefault(name, set())
        written = json.dumps(labels, sort_keys=True)
        if written not in known and len(known) >= LABEL_SETS_MAX:
            others = {label: value if label == "le" else OTHER for label, value in labels.items()}
            return json.dumps(others, sort_keys=True)
        known.add(written)
        return written

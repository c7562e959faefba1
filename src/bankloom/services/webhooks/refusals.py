"""Counts the deliveries that were not believed: in the process first, in the database once a second.

Whoever sends them can make them as many as they like, but not the writes to the database, nor the
samples in it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.logs import redact
from bankloom.models import WebhookRefusal
from bankloom.models.webhook_refusal import SAMPLES_KEPT

if TYPE_CHECKING:
    from datetime import datetime

    from bankloom.core.db import Database
    from bankloom.core.signatures import UnbelievedError, Verdict

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
BODY_CHARS_KEPT = 200
BODY_BYTES_LOOKED_AT = 1000


@dataclass
class _Tally:
    """What was refused of one verdict since the last flush; the newest sample is the first."""

    count: int = 0
    last_at: datetime = field(default_factory=clock.now)
    samples: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))

    def add(self, sample: dict[str, Any]) -> None:
        self.count += 1
        self.last_at = clock.now()
        self.samples.appendleft(sample)

    def add_earlier(self, other: _Tally) -> None:
        self.count += other.count
        self.samples.extend(list(other.samples)[: SAMPLES_KEPT - len(self.samples)])


class Refusals:
    """Counts what this process refuses; safe to share between threads. `close` writes the last of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tallies: dict[Verdict, _Tally] = {}
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def note(self, refused: UnbelievedError, remote: str | None, body: bytes) -> None:
        """Count a refusal, and keep enough of it for an operator to see what came. Never blocks."""
        sample = _sample(refused, remote, body)
        with self._lock:
            self._tallies.setdefault(refused.verdict, _Tally()).add(sample)
            self._flush_soon()

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.flush(again=False)

    def flush(self, *, again: bool = True) -> None:
        """Write the counts and samples since the last time; what can't be written is kept for the next."""
        with self._writing:
            with self._lock:
                tallies, self._tallies, self._timer = self._tallies, {}, None
            try:
                self._write(tallies)
            except SQLAlchemyError as error:
                log.warning("Refused webhooks are not counted yet: %s", type(error).__name__)
                self._take_back(tallies, again=again)

    def _write(self, tallies: dict[Verdict, _Tally]) -> None:
        with self._database.session() as session:
            for verdict, tally in sorted(tallies.items()):  # in one order, of many processes
                samples = list(tally.samples)
                WebhookRefusal.add(session, verdict, tally.count, tally.last_at, samples)

    def _take_back(self, tallies: dict[Verdict, _Tally], *, again: bool) -> None:
        with self._lock:
            for verdict, earlier in tallies.items():
                self._tallies.setdefault(verdict, _Tally()).add_earlier(earlier)
            if again:
                self._flush_soon()

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
            self._timer.daemon = True
            self._timer.start()


def _sample(refused: UnbelievedError, remote: str | None, body: bytes) -> dict[str, Any]:
    start = body[:BODY_BYTES_LOOKED_AT].decode(errors="replace")
    return {
        "at": clock.now().isoformat(),
        "remote": remote,
        "kid": refused.kid,
        "iat": refused.issued_at,
        "bytes": len(body),
        "body": _storable(redact(start))[:BODY_CHARS_KEPT],
    }


def _storable(text: str) -> str:
    """Leave out what JSONB, or the operator's terminal, would choke on."""
    return "".join(char if char.isprintable() else " " for char in text)

"""Refusals are counted all, written seldom, and sampled a little."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bankloom.core.signatures import UnbelievedError, Verdict
from bankloom.models import WebhookRefusal
from bankloom.services.webhooks.refusals import Refusals
from harness import wait_until
from scenes import query

if TYPE_CHECKING:
    import pytest

    from bankloom.services.runtime import Runtime

STALE = UnbelievedError(Verdict.STALE, "kid", 10**30)
NONE = UnbelievedError(Verdict.NO_SIGNATURE)


def counts(runtime: Runtime) -> dict[str, int]:
    """Return what is written."""
    rows = query(runtime, "SELECT verdict, count AS times FROM webhook_refusals")
    return {row.verdict: row.times for row in rows}


def bodies(runtime: Runtime, verdict: str) -> list[str]:
    """Return the samples of a verdict, newest first."""
    [row] = query(runtime, "SELECT * FROM webhook_refusals WHERE verdict = :v", v=verdict)
    return [sample["body"] for sample in row.samples]


def test_a_flood_is_a_write_a_second(parts: Runtime) -> None:
    """A thousand refusals are all counted, by a write or two; the newest five samples are kept."""
    writes: list[str] = []
    event.listen(
        parts.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: writes.append(statement),
    )
    refusals = Refusals(parts.database)
    began = time.monotonic()
    for number in range(1000):
        refusals.note(STALE, "203.0.113.9", b"%d" % number)
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    waiting = [each for each in timers if each.function == refusals.flush]
    refusals.close()
    seconds = time.monotonic() - began
    assert len([each for each in writes if "webhook_refusals" in each]) <= 1 + seconds
    assert len(waiting) <= 1
    assert counts(parts) == {"stale": 1000}
    assert bodies(parts, "stale") == ["999", "998", "997", "996", "995"]


def test_what_is_refused_is_written_by_itself(parts: Runtime) -> None:
    """An operator need not wait for the service's end."""
    refusals = Refusals(parts.database)
    for number in range(2):
        refusals.note(NONE, None, b"")
        wait_until(lambda number=number: counts(parts) == {"no_signature": number + 1})  # type: ignore[misc]  # bound on purpose
    refusals.close()


def test_samples_of_before_stand_behind_those_of_now(parts: Runtime) -> None:
    """Five of each verdict in all, over as many writes and processes as there are."""
    one, other = Refusals(parts.database), Refusals(parts.database)
    for number in range(4):
        for refusals in (one, other):
            refusals.note(STALE, None, b"%d" % number)
            refusals.flush()
    assert counts(parts) == {"stale": 8}
    assert bodies(parts, "stale") == ["3", "3", "2", "2", "1"]
    one.close()
    other.close()


def test_what_can_not_be_written_is_kept(parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away nothing is lost of the counts; they are written when it is back."""
    refusals = Refusals(parts.database)
    refusals.note(STALE, None, b"before")
    with monkeypatch.context() as broken:
        broken.setattr(WebhookRefusal, "add", _fail)
        refusals.flush()
        refusals.note(STALE, None, b"after")
    refusals.close()
    assert counts(parts) == {"stale": 2}
    assert bodies(parts, "stale") == ["after", "before"]


def _fail(*_: object) -> None:
    raise OperationalError("", {}, Exception("gone"))

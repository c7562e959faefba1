"""What is counted for `GET /metrics`: the names, and the moments when each grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core.counting import Counted

if TYPE_CHECKING:
    from bankloom.core.counting import Counts
    from bankloom.models import SyncRun

WEBHOOK = "webhook"
"""The trigger of a run that a delivery asked for."""

PLAID_CALLS = Counted(
    "bankloom_plaid_calls_total",
    "Calls to Plaid, by endpoint and by how they ended: ok, an error code, timeout, no answer.",
    ("endpoint", "outcome"),
)
PLAID_CALL_SECONDS = Counted(
    "bankloom_plaid_call_seconds",
    "How long calls to Plaid took, by endpoint.",
    ("endpoint",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
SYNC_SECONDS = Counted(
    "bankloom_sync_seconds",
    "How long runs of an Item took from their beginning, by how they ended.",
    ("status",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
TRANSACTIONS = Counted(
    "bankloom_transactions_total",
    "Transactions that runs have added, modified or removed.",
    ("change",),
)
WEBHOOK_TO_ROWS_SECONDS = Counted(
    "bankloom_webhook_to_rows_seconds",
    "How long it took from a webhook's request for a run until that run's rows were committed.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
DELIVERIES = Counted(
    "bankloom_webhook_deliveries_total",
    "Webhook deliveries, by verdict: accepted, repeated, or why they were refused.",
    ("verdict",),
)
COUNTED = (
    PLAID_CALLS,
    PLAID_CALL_SECONDS,
    SYNC_SECONDS,
    TRANSACTIONS,
    WEBHOOK_TO_ROWS_SECONDS,
    DELIVERIES,
)


def plaid_called(counts: Counts, endpoint: str, outcome: str, seconds: float) -> None:
    """Count a call to Plaid that has ended."""
    counts.add(PLAID_CALLS, endpoint=endpoint, outcome=outcome)
    counts.observe(PLAID_CALL_SECONDS, seconds, endpoint=endpoint)


def delivered(counts: Counts, *, is_new: bool) -> None:
    """Count a webhook delivery that was believed."""
    counts.add(DELIVERIES, verdict="accepted" if is_new else "repeated")


def run_ended(counts: Counts, row: SyncRun) -> None:
    """Count a run as its row tells of it: what was rolled back has not happened.

    A run whose process died is not counted; its successor is.
    """
    if row.started_at is None or row.finished_at is None:
        return
    counts.observe(
        SYNC_SECONDS, (row.finished_at - row.started_at).total_seconds(), status=row.status
    )
    for change in ("added", "modified", "removed"):
        if rows := getattr(row, change):
            counts.add(TRANSACTIONS, rows, change=change)
    if row.trigger == WEBHOOK:
        waited = (row.finished_at - row.requested_at).total_seconds()
        counts.observe(WEBHOOK_TO_ROWS_SECONDS, waited)

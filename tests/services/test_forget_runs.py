"""Old runs are forgotten by the tick, at a cost that does not grow with the runs that are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.core import clock
from bankloom.models import SyncRun, sync_run
from scenes import query
from workers import store_item

if TYPE_CHECKING:
    import pytest

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

KEEP = timedelta(days=30)
RUNS = """
    INSERT INTO sync_runs (item_id, status, trigger, requested_at, finished_at)
    SELECT :item_id, 'synced', 'schedule', now(), now() - make_interval(days => :days)
    FROM generate_series(1, :count)
"""
ROWS_READ_ONE_BY_ONE = text(
    "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_xact_user_tables WHERE relname = 'sync_runs'"
)


def kept(parts: Runtime) -> int:
    """Return how many runs there are."""
    return len(query(parts, "SELECT 1 FROM sync_runs"))


def test_the_kept_runs_are_not_read(parts: Runtime, bank: Running) -> None:
    """What is old is found by an index, however many runs there are beside it."""
    item_id = store_item(parts, bank)
    query(parts, RUNS, item_id=item_id, days=1, count=20_000)
    query(parts, RUNS, item_id=item_id, days=31, count=3)
    query(parts, "ANALYZE sync_runs")
    with parts.database.session() as session:
        SyncRun.forget_old(session, clock.now() - KEEP)
        assert session.execute(ROWS_READ_ONE_BY_ONE).scalar_one() == 0
    assert kept(parts) == 20_000


def test_much_to_forget_is_forgotten_bit_by_bit(
    parts: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long rest each tick forgets a bounded number, the oldest first."""
    monkeypatch.setattr(sync_run, "FORGOTTEN_AT_ONCE_MAX", 2)
    item_id = store_item(parts, bank)
    for days in (31, 33, 32):
        query(parts, RUNS, item_id=item_id, days=days, count=1)
    for left in (1, 0):
        with parts.database.session() as session:
            SyncRun.forget_old(session, clock.now() - KEEP)
        assert kept(parts) == left

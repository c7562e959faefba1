"""How a run is told of while another takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import event

from bankloom.core.errors import NotFoundError
from bankloom.services import fence, show_run
from scenes import never, query
from workers import ask_for_run, store_item

if TYPE_CHECKING:
    import uuid

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


@pytest.fixture
def run_id(parts: Runtime, bank: Running) -> uuid.UUID:
    """A run that has begun."""
    item_id = store_item(parts, bank)
    ask_for_run(parts, item_id)
    run = fence.begin(parts, item_id, never)
    assert run is not None
    return run.id


def test_a_run_that_loses_its_place_meanwhile_has_not_ended(
    parts: Runtime, run_id: uuid.UUID
) -> None:
    """At no moment of the look is it taken for one that ended, which a person would read as failed."""

    def take_over(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        """Let another run take its place as soon as it was read once, in a commit of its own."""
        if "sync_runs" in statement:
            with psycopg.connect(parts.database.conninfo, autocommit=True) as other:
                other.execute(
                    "WITH new AS (INSERT INTO sync_runs (item_id, trigger, requested_at, status)"
                    " SELECT item_id, 'takeover', now(), 'queued' FROM sync_runs WHERE id = %(id)s"
                    " AND superseded_by IS NULL RETURNING id)"
                    " UPDATE sync_runs SET status = 'superseded', finished_at = now(),"
                    " superseded_by = new.id FROM new WHERE sync_runs.id = %(id)s",
                    {"id": run_id},
                )

    event.listen(parts.database.engine, "after_cursor_execute", take_over)
    try:
        found = show_run.run_now(parts, run_id)
    finally:
        event.remove(parts.database.engine, "after_cursor_execute", take_over)
    assert not show_run.has_ended(found)
    assert [row.status for row in query(parts, "SELECT status FROM sync_runs ORDER BY status")] == [
        "queued",
        "superseded",
    ]
    assert show_run.run_now(parts, run_id).id != run_id


def test_no_run_is_told(parts: Runtime, run_id: uuid.UUID) -> None:
    """An id that is no run's is said to be none."""
    query(parts, "DELETE FROM sync_runs")
    with pytest.raises(NotFoundError):
        show_run.run_now(parts, run_id)

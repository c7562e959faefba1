"""`later`: the engine is woken in our own commit, at most once for what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.models import User
from bankloom.services import jobs
from scenes import query
from workers import jobs_of

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime


def names(parts: Runtime) -> list[str]:
    return [row.name for row in query(parts, "SELECT name FROM users ORDER BY name")]


def test_a_job_is_committed_with_its_cause(parts: Runtime) -> None:
    """Nobody sees the job before the commit; afterwards it waits under the Item's two locks."""
    with parts.database.session() as session:
        jobs.later(session, "item")
        assert jobs_of(parts) == []
    (job,) = jobs_of(parts, "todo")
    assert (job.lock, job.queueing_lock, job.args) == ("item", "item", {"item_id": "item"})


def test_a_job_is_rolled_back_with_its_cause(parts: Runtime) -> None:
    """Where the commit fails, no job is left of it."""

    def fail() -> None:
        with parts.database.session() as session:
            jobs.later(session, "item")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert jobs_of(parts) == []


def test_requests_for_one_item_coalesce(parts: Runtime) -> None:
    """However often an Item is asked for, in one commit or in many, one job waits."""
    for _ in range(3):
        with parts.database.session() as session:
            jobs.later(session, "item")
            jobs.later(session, "item")
    with parts.database.session() as session:
        jobs.later(session, "another")
    assert sorted(job.lock for job in jobs_of(parts, "todo")) == ["another", "item"]


def test_the_rest_of_the_commit_survives_a_job_that_waits_already(parts: Runtime) -> None:
    """The engine's refusal undoes nothing: neither what was flushed, nor what was not, nor what follows."""
    with parts.database.session() as session:
        jobs.later(session, "item")
    with parts.database.session() as session:
        session.add(User(name="flushed"))
        session.flush()
        unflushed = User(name="not flushed")
        session.add(unflushed)
        jobs.later(session, "item")
        unflushed.name = "changed after"
        session.add(User(name="later"))
    assert names(parts) == ["changed after", "flushed", "later"]
    assert len(jobs_of(parts, "todo")) == 1


def test_a_job_may_wait_while_another_runs(parts: Runtime) -> None:
    """What runs has read already, so a request meanwhile queues one more, and no third."""
    with parts.database.session() as session:
        jobs.later(session, "item")
    query(parts, "UPDATE procrastinate_jobs SET status = 'doing'")
    for _ in range(2):
        with parts.database.session() as session:
            jobs.later(session, "item")
    assert len(jobs_of(parts, "doing")) == 1
    assert len(jobs_of(parts, "todo")) == 1

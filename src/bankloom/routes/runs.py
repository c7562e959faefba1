"""Runs: how one stands or ended, the history of all, and how to cancel one."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from bankloom.core.errors import NotFoundError
from bankloom.models import RunStatus, SyncRun
from bankloom.models.run_history import RunFilter, page_of_runs
from bankloom.routes import answers, run_shapes, shapes
from bankloom.routes.access import Call, MayRead, MaySync
from bankloom.routes.answers import JsonAnswer
from bankloom.services import cancel_run, show_run

router = APIRouter(prefix="/plaid", tags=["runs"])

Statuses = Annotated[list[RunStatus], Query(max_length=len(RunStatus))]


@router.get("/runs", response_model=run_shapes.RunsAnswer, responses=shapes.errors(404))
def list_runs(  # noqa: PLR0913, PLR0917 - one parameter a documented filter
    call: MayRead,
    user_id: shapes.UserFilter = None,
    item_id: shapes.Text | None = None,
    status: Statuses = [],  # noqa: B006 - FastAPI copies it
    trigger: shapes.Text | None = None,
    limit: shapes.PageLimit = 100,
    cursor: shapes.Text | None = None,
) -> JsonAnswer:
    """List runs, those asked for last on top."""
    place = answers.read_page_cursor(cursor, datetime.fromisoformat, uuid.UUID) if cursor else None
    with call.runtime.database.session() as session:
        user = call.caller.scope(session, user_id, item_id=item_id)
        wanted = RunFilter(user_id=user, item_id=item_id, statuses=status, trigger=trigger)
        rows = page_of_runs(session, wanted, place, limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    return JsonAnswer(
        {
            "runs": [answers.run_json(run) for run in page],
            "next_cursor": answers.page_cursor(page[-1].requested_at, page[-1].id)
            if more
            else None,
        }
    )


@router.get("/runs/{run_id}", response_model=run_shapes.RunAnswer, responses=shapes.errors(404))
def show(run_id: uuid.UUID, call: MayRead) -> JsonAnswer:
    """Tell how a run stands or ended; one that was superseded answers as its successor."""
    return JsonAnswer(answers.run_json(_reachable(call, run_id)))


@router.post(
    "/runs/{run_id}/cancel", response_model=run_shapes.RunAnswer, responses=shapes.errors(404)
)
def cancel(run_id: uuid.UUID, call: MaySync) -> JsonAnswer:
    """Cancel a run that has not ended, and tell how it stands; one that has ended stays as it is."""
    run = _reachable(call, run_id)
    cancel_run.now(call.runtime, run.item_id, run.id)
    return JsonAnswer(answers.run_json(show_run.run_now(call.runtime, run.id)))


def _reachable(call: Call, run_id: uuid.UUID) -> SyncRun:
    """Return the run, or its successor. Errors: `NotFoundError`, the same for a run of another user."""
    run = show_run.run_now(call.runtime, run_id)
    try:
        with call.runtime.database.session() as session:
            call.caller.item(session, run.item_id, None)
    except NotFoundError as error:
        raise NotFoundError(show_run.NO_SUCH_RUN) from error
    return run

"""Tells whether the service can answer and whether a worker takes jobs."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

from bankloom.routes.access import RuntimeDep
from bankloom.services import jobs

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
def healthz(runtime: RuntimeDep) -> dict[str, str]:
    """Answer 200 when the service can serve: the database answers."""
    with runtime.database.session() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
def readyz(response: Response, runtime: RuntimeDep) -> dict[str, str]:
    """Answer 200 when the database answers and some worker takes jobs, in whatever process."""
    silent_seconds = runtime.settings.worker_silent_seconds
    with runtime.database.session() as session:
        ready = jobs.a_worker_lives(session, silent_seconds)
    if ready:
        return {"status": "ok"}
    response.status_code = 503
    return {"status": "no worker lives: run `bankloom worker`, or `bankloom serve` with its own"}

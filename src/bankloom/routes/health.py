"""Tells whether the service can answer and whether a worker takes jobs."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

from bankloom.routes.access import RuntimeDep
from bankloom.routes.threads import ThreadsDep
from bankloom.services import jobs
from bankloom.services.runtime import Runtime

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz(runtime: RuntimeDep, threads: ThreadsDep) -> dict[str, str]:
    """Answer 200 when the service can serve: the database answers."""
    await threads.check_health(_ask_database, runtime)
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def readyz(response: Response, runtime: RuntimeDep, threads: ThreadsDep) -> dict[str, str]:
    """Answer 200 when the database answers and some worker takes jobs, in whatever process."""
    if await threads.check_health(_a_worker_lives, runtime):
        return {"status": "ok"}
    response.status_code = 503
    return {"status": "no worker lives: run `bankloom worker`, or `bankloom serve` with its own"}


def _ask_database(runtime: Runtime) -> None:
    with runtime.database.session() as session:
        session.execute(text("SELECT 1"))


def _a_worker_lives(runtime: Runtime) -> bool:
    with runtime.database.session() as session:
        return jobs.a_worker_lives(session, runtime.settings.worker_silent_seconds)

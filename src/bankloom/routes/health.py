"""Tells whether the service can answer and whether a worker takes jobs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import text

from bankloom.routes.access import RuntimeDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz(runtime: RuntimeDep) -> dict[str, str]:
    """Answer 200 when the service can serve: the database answers."""
    with runtime.database.session() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/readyz")
def readyz(request: Request, response: Response, runtime: RuntimeDep) -> dict[str, str]:
    """Answer 200 when the database answers and this process's worker takes jobs, else 503."""
    healthz(runtime)
    worker = request.app.state.worker
    if worker is None or not worker.alive:
        response.status_code = 503
        return {"status": "no worker runs in this process"}
    return {"status": "ok"}

"""The composition root: settings -> Runtime -> one ASGI app with the worker beside it."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi_offline import FastAPIOffline

from bankloom.console import doors as console
from bankloom.opening import open_runtime
from bankloom.routes import (
    audit,
    docs_page,
    erasures,
    errors,
    hardening,
    health,
    items,
    keys,
    link,
    metrics,
    plaid,
    request_id,
    runs,
    webhooks,
)
from bankloom.routes.access import only_declared_query
from bankloom.routes.threads import Threads
from bankloom.services.api_access import first_key
from bankloom.services.follow_secret import SecretFollower
from bankloom.services.keep_counts import CountsKeeper
from bankloom.services.keyrings.processes import Announced
from bankloom.services.webhooks.receive import Intake
from bankloom.worker import WorkerThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

_ONE_WALL = (
    "Requests of a user's key are confined by their queries alone, not by the database too (%s). "
    "docs/operating.md says what an administrator runs to build the second wall."
)


def create_app(
    runtime: Runtime, *, with_worker: bool = True, listens_on: str | None = None
) -> FastAPI:
    """Build the ASGI app over opened parts; its lifespan runs the worker and closes the parts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.threads = Threads()
        app.state.intake = Intake(runtime)
        if runtime.wall.problem is not None:
            log.warning(_ONE_WALL, runtime.wall.problem)
        try:
            with Announced(runtime, "serve"), CountsKeeper(runtime), SecretFollower(runtime):
                if with_worker:
                    with WorkerThread(runtime) as worker:
                        app.state.worker = worker
                        yield
                else:
                    yield
        finally:
            app.state.intake.close()
            runtime.close()

    app = FastAPIOffline(
        title="Bankloom",
        version=version("bankloom"),
        description="Keeps your own database in step with your banks, through Plaid.",
        docs_url=None,  # ours is `docs_page`, over the same packaged files
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.state.worker = None
    strict = [Depends(only_declared_query)]
    app.include_router(plaid.router, dependencies=strict)
    app.include_router(items.router, dependencies=strict)
    app.include_router(erasures.router, dependencies=strict)
    app.include_router(runs.router, dependencies=strict)
    app.include_router(link.router, dependencies=strict)
    app.include_router(keys.router, dependencies=strict)
    app.include_router(audit.router, dependencies=strict)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(docs_page.router)
    console.install(app)
    errors.install(app)
    hardening.install(app, runtime.settings, listens_on)
    request_id.install(app)
    return app


def start(settings: Settings) -> tuple[Runtime, str | None]:
    """Open the runtime for serving; return it with the first service key, if it was just made."""
    runtime = open_runtime(settings)
    return runtime, first_key(runtime)

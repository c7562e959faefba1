"""The composition root: settings -> Runtime -> one ASGI app with the worker beside it."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi_offline import FastAPIOffline

from bankloom import migrations
from bankloom.console import doors as console
from bankloom.routes import (
    errors,
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
from bankloom.services.runtime import Runtime
from bankloom.services.webhooks.receive import Intake
from bankloom.worker import WorkerThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from bankloom.core.settings import Settings

log = logging.getLogger(__name__)


def open_runtime(settings: Settings) -> Runtime:
    """Open the parts and bring the database to the current schema. Errors: `BankloomError`."""
    settings.plaid.require_credentials()
    return Runtime.open(settings, migrations.upgraded)


def create_app(runtime: Runtime, *, with_worker: bool = True) -> FastAPI:
    """Build the ASGI app over opened parts; its lifespan runs the worker and closes the parts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.threads = Threads()
        app.state.intake = Intake(runtime)
        try:
            with CountsKeeper(runtime), SecretFollower(runtime):
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
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.state.worker = None
    strict = [Depends(only_declared_query)]
    app.include_router(plaid.router, dependencies=strict)
    app.include_router(items.router, dependencies=strict)
    app.include_router(runs.router, dependencies=strict)
    app.include_router(link.router, dependencies=strict)
    app.include_router(keys.router, dependencies=strict)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    console.install(app)
    errors.install(app)
    request_id.install(app)
    return app


def start(settings: Settings) -> tuple[Runtime, str | None]:
    """Open the runtime for serving; return it with the first service key, if it was just made."""
    runtime = open_runtime(settings)
    return runtime, first_key(runtime)

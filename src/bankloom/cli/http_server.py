"""How uvicorn serves the app: its bounds, whose word about callers it takes, what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from bankloom.routes.hardening.connections import BoundedHttp

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bankloom.core.settings import Settings

GRACE_SECONDS = 3

IDLE_SECONDS = 75
"""Longer than common proxies and clients keep an idle connection (60 s), so that they close it first:
where the server does, in the very moment of a call, that call gets no answer."""


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how the app is to be served."""
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=IDLE_SECONDS,
    )

"""How uvicorn serves the app: its bounds, whose word about callers it takes, and how it leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import uvicorn

from bankloom.cli.signals import end_process
from bankloom.routes.hardening.connections import BoundedHttp

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from bankloom.core.settings import Settings

GRACE_SECONDS = 3

LAST_SECONDS = 1
"""How long threads that hang have once everything is closed: Plaid's answer may take two minutes."""

IDLE_SECONDS = 75
"""Longer than common proxies and clients keep an idle connection (60 s), so that they close it first:
where the server does, in the very moment of a call, that call gets no answer."""


class Server(uvicorn.Server):
    """A server that is gone once it has shut down, even if a thread still waits for Plaid's answer."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down in order; Python itself would then wait for every thread."""
        await super().shutdown(sockets)
        last_word = threading.Timer(LAST_SECONDS, end_process)
        last_word.daemon = True
        last_word.start()


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

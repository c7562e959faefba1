"""Gives every request an id: it stands on the lines logged meanwhile, and in the answer's header."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from bankloom.core import logs

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_FIT_TO_LOG = re.compile(r"[\w.-]{1,64}", re.ASCII)


def install(app: FastAPI) -> None:
    """Give every request its id, around everything else."""
    inner = app.build_middleware_stack
    # `add_middleware` would put it inside of what answers an unexpected error.
    app.build_middleware_stack = lambda: RequestId(inner())  # type: ignore[method-assign]  # as said


class RequestId:
    """ASGI middleware: the caller's own `X-Request-Id` where it is a plain word, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _FIT_TO_LOG.fullmatch(given) else uuid.uuid4().hex

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        # Never taken off: the request's task ends with it, and the server logs there what broke.
        logs.bind(request_id=request_id)
        await self._app(scope, receive, answer)

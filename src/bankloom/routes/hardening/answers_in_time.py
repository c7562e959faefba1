"""Bounds how long whoever reads waits for an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bankloom.core.http_errors import TookTooLongError
from bankloom.routes.errors import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING_SECONDS = 30.0
"""A read is answered in milliseconds. What writes may wait for Plaid, and has bounds of its own there."""


class AnswersInTime:
    """ASGI middleware: a GET that has not begun to answer in time is given up, and told so.

    Its thread goes on until the database lets go of it: no thread of Python's can be ended.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch the clock."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        await _Watched(scope, receive, send).run(self._app)


class _Watched:
    """One request: answered by the app, or by the clock."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._giving_up: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp) -> None:
        """Run the app; return when the answer, whichever it is, has left."""
        self._timer = asyncio.get_running_loop().call_later(READING_SECONDS, self._give_up)
        try:
            await app(self._scope, self._receive, self._pass_on)
        finally:
            self._timer.cancel()
        if self._giving_up:
            await self._giving_up

    async def _pass_on(self, message: Message) -> None:
        if self._giving_up:
            return  # too late: the caller has been told
        self._timer.cancel()
        await self._send(message)

    def _give_up(self) -> None:
        told = answer(TookTooLongError())(self._scope, self._receive, self._send)
        self._giving_up = asyncio.ensure_future(told)

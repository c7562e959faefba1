"""Renders every error in one shape, `{error: {code, message, ...}}`, with nothing internal in it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError  # noqa: A004 - the pool's
from starlette.exceptions import HTTPException

from bankloom.core.errors import (
    BankloomError,
    BodyTooLargeError,
    DatabaseLostError,
    InvalidRequestError,
    MalformedJsonError,
    MethodNotAllowedError,
    NotFoundError,
    StoppingError,
)
from bankloom.routes.answers import JsonAnswer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 1024 * 1024


def install(app: FastAPI) -> None:
    """Give the app its error handlers, the bound on bodies, and a word for those still waiting."""
    app.add_exception_handler(BankloomError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(BoundedBody)
    app.add_middleware(AnsweredWhenStopping)


def answer(error: BankloomError) -> JsonAnswer:
    """Return the response of an error."""
    return JsonAnswer(error.body(), error.status, error.headers)


async def _ours(_request: Request, error: Exception) -> JsonAnswer:
    return answer(error if isinstance(error, BankloomError) else BankloomError())


async def _invalid(request: Request, error: Exception) -> JsonAnswer:
    problems = error.errors() if isinstance(error, RequestValidationError) else ()
    unread = any(problem["loc"] == ("body",) for problem in problems)
    not_json = "json" not in request.headers.get("content-type", "")
    if (unread and not_json) or any(problem["type"] == "json_invalid" for problem in problems):
        return answer(MalformedJsonError())
    return answer(InvalidRequestError(fields=[_problem(problem) for problem in problems]))


def _problem(problem: dict[str, Any]) -> dict[str, str]:
    """Say what is wrong with a field, without repeating its value: it may be a secret."""
    return {"field": ".".join(str(part) for part in problem["loc"]), "problem": problem["msg"]}


async def _http(_request: Request, error: Exception) -> JsonAnswer:
    if isinstance(error.__cause__, BankloomError):
        return answer(error.__cause__)  # raised while FastAPI read the body, which wraps it
    status = error.status_code if isinstance(error, HTTPException) else 500
    by_status: dict[int, BankloomError] = {
        404: NotFoundError("There is no such path. See /docs for those there are."),
        405: MethodNotAllowedError(),
        413: BodyTooLargeError(),
    }
    return answer(by_status.get(status, InvalidRequestError()))


async def _database(_request: Request, error: Exception) -> JsonAnswer:
    cause = getattr(error, "orig", None)
    said = getattr(getattr(cause, "diag", None), "message_primary", None)  # without people's data
    log.error("The database failed: %s: %s", type(cause or error).__name__, said)
    if isinstance(error, OperationalError | InterfaceError | TimeoutError):
        sentence = "The database is not there right now. Try again in a moment."
        return answer(DatabaseLostError(sentence))
    return answer(BankloomError())


async def _unexpected(_request: Request, _error: Exception) -> JsonAnswer:
    return answer(BankloomError())


class BoundedBody:
    """ASGI middleware: no request body over 1 MiB is read, declared or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is received of its body."""
        declared = dict(scope.get("headers") or ()).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
            await answer(BodyTooLargeError())(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES_MAX:
                raise BodyTooLargeError
            return message

        await self._app(scope, bounded, send)


class AnsweredWhenStopping:
    """ASGI middleware: a call that the server gives up, because it was told to stop, is told so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; no exception handler hears of its cancellation."""
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if has_begun or scope["type"] != "http":
                raise
            await answer(StoppingError())(scope, receive, send)

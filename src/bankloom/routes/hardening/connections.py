"""uvicorn's HTTP/1.1 with bounds on what a connection may cost: time, bytes of a head, their number."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bankloom.core.http_errors import (
    HeadTooLargeError,
    MalformedHttpError,
    TooManyConnectionsError,
    TooSlowRequestError,
    UrlTooLongError,
)
from bankloom.routes.errors import answer
from bankloom.routes.hardening.headers import HEADERS_OF_DATA

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from bankloom.core.errors import BankloomError

CONNECTIONS_MAX = 800
"""Below the 1,024 files that a process may open by default, the database's and Plaid's among them."""

HEAD_SECONDS = 15.0
BODY_SECONDS = 20.0
"""A mebibyte, the largest body there is, at 50 kB/s; Plaid waits 10 s for a webhook's answer."""

READER_SECONDS = 30.0
"""How long a caller may leave an answer unread that does not fit the machine's buffers."""

URL_BYTES_MAX = 8 * 1024
HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100


class _Awaited(enum.Enum):
    """The part of a request that is still to come."""

    HEAD = enum.auto()
    BODY = enum.auto()


class BoundedHttp(HttpToolsProtocol):
    """One connection. What breaks a bound gets an error of the one shape, and the connection ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Take the connection, unless there are too many."""
        super().connection_made(transport)
        self._awaited: _Awaited | None = None
        self._watched: _Awaited | None = None
        self._head_bytes = 0
        self._broken: BankloomError = MalformedHttpError()
        self._timer: TimerHandle | None = None
        self._reader_timer: TimerHandle | None = None
        if len(self.connections) > CONNECTIONS_MAX:
            transport.write(_whole_answer(TooManyConnectionsError()))
            transport.close()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        for timer in (self._timer, self._reader_timer):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on, as far as the bounds allow."""
        if self.transport.is_closing():
            return
        if self._awaited is not _Awaited.BODY:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._awaited is _Awaited.HEAD and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HeadTooLargeError())
        self._watch()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._awaited = _Awaited.HEAD

    def on_headers_complete(self) -> None:
        """Hand the request to the app, if its head is within the bounds."""
        if len(self.url) > URL_BYTES_MAX:
            self._break(UrlTooLongError())
        size = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > HEADERS_MAX or size > HEAD_BYTES_MAX:
            self._break(HeadTooLargeError())
        super().on_headers_complete()
        self._awaited = _Awaited.BODY

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._awaited, self._head_bytes = None, 0

    def _break(self, error: BankloomError) -> None:
        """Stop the parser: uvicorn then calls `send_400_response`."""
        self._broken = error
        raise error

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are replaced
        """Say in our shape why the request is not read on."""
        self._refuse(self._broken)

    def _watch(self) -> None:
        """Give what is still to come its time, once; most requests come whole and need none."""
        awaited = self._awaited or (_Awaited.HEAD if self._is_idle() else None)
        if awaited is self._watched:
            return
        if self._timer:
            self._timer.cancel()
        self._watched, self._timer = awaited, None
        if awaited and not self.transport.is_closing():
            seconds = HEAD_SECONDS if awaited is _Awaited.HEAD else BODY_SECONDS
            self._timer = self.loop.call_later(seconds, self._refuse, TooSlowRequestError())

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def pause_writing(self) -> None:
        """Begin to wait for a caller that does not read."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the caller has read."""
        super().resume_writing()
        if self._reader_timer:
            self._reader_timer.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Hang up on a connection that is idle; one that has not read its answer would never close."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _refuse(self, error: BankloomError) -> None:
        """Answer with the error, if no answer has begun, and hang up."""
        if self.transport.is_closing():
            return
        if self._may_answer():
            self.transport.write(_whole_answer(error))
        if not self._is_idle():
            self.cycle.disconnected = True  # so that the app adds nothing
            self.cycle.message_event.set()
        self.transport.close()

    def _may_answer(self) -> bool:
        """Tell whether an answer would be taken for that of the request that broke the bound."""
        if self._is_idle():
            return self._awaited is _Awaited.HEAD
        return self._awaited is _Awaited.BODY and not self.cycle.response_started


def _whole_answer(error: BankloomError) -> bytes:
    told: Any = answer(error)
    headers = [*told.raw_headers, *HEADERS_OF_DATA, (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %s" % (told.status_code, error.code.encode())]
    lines += [b"%s: %s" % header for header in headers]
    return b"\r\n".join([*lines, b"", bytes(told.body)])

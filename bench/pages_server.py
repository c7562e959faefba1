"""Serves recorded pages from a process of its own, fast enough not to be what is measured.

It keeps no state. The access token says how many pages the first history has (`access_token`);
the cursor is the number of the next page. Past the history every page is an update of 10 new
rows. The recorded pages are gone through in laps, each with ids of its own.
"""

from __future__ import annotations

import http.client
import multiprocessing
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import msgspec
from recording import PAGE_ROWS, TAG_CHARS, TAG_PLACE, Recording, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

UPDATE_ROWS = 10
_START_SECONDS = 120


def access_token(rows: int) -> str:
    """Return an access token of an Item whose history has this many rows."""
    return f"access-sandbox-{rows // PAGE_ROWS}"


@contextmanager
def serving_pages(recorded_pages: int) -> Iterator[str]:
    """Record that many pages, serve them for the length of a block, and give the base URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, recorded_pages), daemon=False)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_SECONDS):
            raise RuntimeError("the pages server did not start")
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def milliseconds_per_page(url: str, pages: int) -> float:
    """Fetch every page of a history without reading it: what of a measurement is the server's."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    started = time.perf_counter()
    for number in range(pages):
        body = msgspec.json.encode(_Request(access_token(pages * PAGE_ROWS), str(number)))
        connection.request("POST", "/transactions/sync", body)
        connection.getresponse().read()
    seconds = time.perf_counter() - started
    connection.close()
    return 1000 * seconds / pages


def _serve(ready: Connection, recorded_pages: int) -> None:
    _Handler.book = _Book(record(recorded_pages))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    ready.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


class _Request(msgspec.Struct):
    access_token: str = ""
    cursor: str = ""


class _Book:
    """The recorded answers, each ready to be sent but for the tags and the numbers of pages."""

    def __init__(self, recording: Recording) -> None:
        self._answers = recording.answers
        self._templates = [_template(recording, rows) for rows in recording.pages]
        self._update = _template(recording, recording.pages[-1][-UPDATE_ROWS:])

    def answer(self, path: str, request: _Request) -> bytes:
        """Return the body of an answer."""
        if path != "/transactions/sync":
            return self._answers[path]
        number = int(request.cursor or 0)
        history = int(request.access_token.rpartition("-")[2])
        if number >= history:
            return _filled(self._update, b"u", number, number + 1, has_more=False)
        lap, place = divmod(number, len(self._templates))
        has_more = number + 1 < history
        return _filled(self._templates[place], b"h", lap, number + 1, has_more=has_more)


_CURSOR, _HAS_MORE = b'"\x01"', b'"\x02"'


def _template(recording: Recording, rows: list[bytes]) -> bytes:
    added = msgspec.Raw(b"[" + b",".join(rows) + b"]")
    places = {"next_cursor": msgspec.Raw(_CURSOR), "has_more": msgspec.Raw(_HAS_MORE)}
    return msgspec.json.encode({**recording.envelope, "added": added, **places})


def _filled(template: bytes, kind: bytes, lap: int, cursor: int, *, has_more: bool) -> bytes:
    tag = kind + str(lap).encode().zfill(TAG_CHARS - len(kind))
    return (
        template.replace(TAG_PLACE, tag)
        .replace(_CURSOR, b'"%d"' % cursor)
        .replace(_HAS_MORE, b"true" if has_more else b"false")
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept alive
    disable_nagle_algorithm = True
    book: ClassVar[_Book]

    def do_POST(self) -> None:
        """Answer a call."""
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        body = self.book.answer(self.path, msgspec.json.decode(sent, type=_Request))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

"""A tap on the wire to Plaid: passes every call on, and keeps what was asked and answered."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_ONE_CONNECTION = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


@dataclass
class Tap:
    """Stands at `url`; the paths that were asked for, and the bodies of all answers."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


@contextmanager
def tapped(plaid_url: str) -> Iterator[Tap]:
    """Run a tap in front of Plaid for the length of a block; where Plaid hangs up, so does it."""
    tap = Tap()
    client = httpx.Client(base_url=plaid_url, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tap.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {k: v for k, v in self.headers.items() if k.lower() not in OF_ONE_CONNECTION}
            try:
                answer = client.post(self.path, content=body, headers=kept)
            except httpx.TransportError:
                self.close_connection = True
                return
            tap.answered.append(answer.text)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in OF_ONE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            with suppress(BrokenPipeError, ConnectionResetError):  # a caller that was killed
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, client:
        tap.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()

"""Something that answers in Plaid's place: a gateway, a proxy, a page of somebody else's."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Gateway:
    """Answers every POST alike, over real HTTP, and keeps what was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    promised_bytes: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up_on_reuse: bool = False
    """Keep a connection, but hang up on the next call over it, as where its idle time just ended."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answers(self, status: int, body: bytes, promised_bytes: int | None = None) -> None:
        """Set the answer; `promised_bytes` is a Content-Length that may be a lie."""
        self.status, self.body, self.promised_bytes = status, body, promised_bytes


@contextmanager
def answering() -> Iterator[Gateway]:
    """Run a gateway, at a URL of its own, for the length of a block."""
    stand_in = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            super().setup()
            self.calls = 0
            if stand_in.hangs_up_on_reuse:
                self.protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.calls += 1
            if self.calls > 1:
                self.close_connection = True
                return
            length = int(self.headers["Content-Length"])
            stand_in.asked.append(json.loads(self.rfile.read(length)))
            self.send_response(stand_in.status)
            promised = stand_in.promised_bytes
            self.send_header("Content-Length", str(promised or len(stand_in.body)))
            for name, value in stand_in.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(stand_in.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()

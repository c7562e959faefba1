"""For tests of other programs: a webhook receiver that remembers what came and answers as told."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from platypus_bank.exact_json import decode

ENOUGH_SECONDS = 10


@dataclass
class Received:
    """One POST: raw body, and every Plaid-Verification header."""

    body: bytes
    verification: list[str]
    content_type: str | None
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON may hold anything
        """The body as JSON."""
        return decode(self.body)

    @property
    def code(self) -> str:
        """The webhook_code."""
        return str(self.json["webhook_code"])


@dataclass
class Receiver:
    """Listens on `url`; `answers` are (status, headers) for the next POSTs, then always 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    always: int = 200
    delay_seconds: float = 0.0

    def wait(self, count: int) -> list[Received]:
        """Wait until so many have come, and return all."""
        until(lambda: len(self.received) >= count)
        return list(self.received)

    def codes(self) -> list[str]:
        """Return the webhook_codes so far."""
        return [each.code for each in self.received]

    def take(self, received: Received) -> tuple[int, dict[str, str]]:
        """Remember a POST and choose its answer."""
        self.received.append(received)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        return self.answers.pop(0) if self.answers else (self.always, {})


def until(holds: Callable[[], object], seconds: float = ENOUGH_SECONDS) -> None:
    """Wait until something holds, with a bound."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come to hold within {seconds:g} seconds")
        time.sleep(0.01)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as there
        """Say nothing of a sender that was killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # its sender was killed
                return
            received = Received(
                body=body,
                verification=self.headers.get_all("Plaid-Verification") or [],
                content_type=self.headers["Content-Type"],
            )
            status, headers = receiver.take(received)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as there
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

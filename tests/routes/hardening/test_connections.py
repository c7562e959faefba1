"""What one connection may cost, tried over bare sockets: time, bytes, number."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from bankloom.routes.hardening import answers_in_time, connections
from harness import API_KEY, wait_until

if TYPE_CHECKING:
    from harness import Api

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /plaid/sync HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + API_KEY.encode()
SHORT = 0.3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test wait for tenths of seconds instead of many."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "READER_SECONDS"):
        monkeypatch.setattr(connections, name, SHORT)


def connected(api: Api) -> socket.socket:
    place = urlsplit(api.url)
    return socket.create_connection((place.hostname or "", place.port or 0), 10)


def heard(connection: socket.socket) -> bytes:
    """Read until the service hangs up."""
    told = b""
    try:
        while more := connection.recv(65_536):
            told += more
    except ConnectionResetError:
        pass  # it hung up while bytes of ours were under way
    return told


def assert_refused(told: bytes, status: int, code: str) -> None:
    """Check for one answer, of the one shape, after which the connection ended."""
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), told
    assert json.loads(body)["error"]["code"] == code
    headers = head.lower()
    for wanted in (b"connection: close", b"content-security-policy: ", b"cache-control: no-store"):
        assert wanted in headers


@pytest.mark.usefixtures("impatient")
def test_a_head_that_does_not_end_is_given_up(walled: Api) -> None:
    """However it drips: one byte after the other keeps nobody waiting."""
    with connected(walled) as connection:
        connection.sendall(HEAD)
        began = time.monotonic()
        for _ in range(20):
            time.sleep(SHORT / 10)
            try:
                connection.sendall(b"X-A: b\r\n")
            except OSError:
                break
        assert_refused(heard(connection), 408, "request_too_slow")
        assert time.monotonic() - began < 20 * SHORT


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after", [b"", b"\r\n", HEAD + b"\r\n"])
def test_a_connection_without_a_request_is_closed(walled: Api, after: bytes) -> None:
    """One that says nothing, or nothing more than line ends, gets no answer that it did not ask for."""
    with connected(walled) as connection:
        connection.sendall(after)
        if after.startswith(b"GET"):
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            connection.sendall(b"\r\n")
        assert heard(connection) == b""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_end_is_given_up(walled: Api, framing: bytes) -> None:
    """Declared or in chunks; the caller is told."""
    with connected(walled) as connection:
        connection.sendall(POST + b"\r\nContent-Type: application/json\r\n" + framing + b"\r\n\r\n")
        connection.sendall(b'5\r\n{"a":\r\n' if b"chunked" in framing else b'{"a":')
        assert_refused(heard(connection), 408, "request_too_slow")


@pytest.mark.usefixtures("impatient")
def test_a_body_that_nobody_wants_is_given_up_too(walled: Api) -> None:
    """After the answer, the rest of the body is waited for no longer, and there is no second answer."""
    with connected(walled) as connection:
        connection.sendall(POST + b"x\r\nContent-Length: 99999999\r\n\r\n{")
        told = heard(connection)
    assert told.count(b"HTTP/1.1 ") == 1
    assert told.startswith(b"HTTP/1.1 413")


@pytest.mark.usefixtures("impatient")
def test_whoever_does_not_read_is_cut_off(walled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that are asked for and never read are not kept for ever."""
    seen: list[connections.BoundedHttp] = []
    made = connections.BoundedHttp.connection_made

    def noted(self: connections.BoundedHttp, transport: object) -> None:
        seen.append(self)
        made(self, transport)  # type: ignore[arg-type]  # as asyncio gives it

    monkeypatch.setattr(connections.BoundedHttp, "connection_made", noted)
    asked = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(walled) as connection:
        connection.sendall(asked * 12)  # a megabyte and a half each: more than the buffers hold
        wait_until(lambda: seen and seen[0].transport.is_closing())


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (
            b"GET /healthz?" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            414,
            "url_too_long",
        ),
        (HEAD + b"X: y\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
        (HEAD + b"X: " + b"y" * 33_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD + b"X: " + b"y" * 100_000, 431, "headers_too_large"),
        (b"GET /" + b"x" * 100_000, 431, "headers_too_large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_http"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed_http"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed_http"),
    ],
)
def test_a_head_has_bounds(walled: Api, request_head: bytes, status: int, code: str) -> None:
    """Too long a URL, too many or too large headers, or none of HTTP at all: refused, in our shape."""
    with connected(walled) as connection:
        connection.sendall(request_head)
        assert_refused(heard(connection), status, code)


def test_large_heads_within_the_bounds_are_taken(walled: Api) -> None:
    """A hundred headers, and 30 kB of them, pass, more than once over one connection."""
    with connected(walled) as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"X: y\r\n" * 98 + b"Y: " + b"y" * 30_000 + b"\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_two_requests_at_once_are_answered_in_turn(walled: Api) -> None:
    """Pipelining goes on as before."""
    with connected(walled) as connection:
        connection.sendall((HEAD + b"\r\n") * 2 + HEAD + b"Connection: close\r\n\r\n")
        assert heard(connection).count(b"HTTP/1.1 200") == 3


def test_connections_are_counted(walled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so at once, those that are there go on, and one that leaves makes room."""
    walled.client.close()
    with ExitStack() as stack:
        monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
        kept = [stack.enter_context(connected(walled)) for _ in range(3)]
        for connection in kept:
            connection.sendall(HEAD + b"\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        with connected(walled) as one_more:
            assert_refused(heard(one_more), 503, "too_many_connections")
        kept[0].close()

        def takes_another() -> bool:
            with connected(walled) as another:
                another.sendall(HEAD + b"\r\n")
                return another.recv(65_536).startswith(b"HTTP/1.1 200")

        wait_until(takes_another)
        kept[1].sendall(HEAD + b"\r\n")
        assert kept[1].recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_read_that_takes_too_long_is_given_up(
    walled: Api, module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a locked table is told, and served again when the lock is gone."""
    asked = (
        POST.replace(b"POST /plaid/sync", b"GET /plaid/accounts") + b"\r\nConnection: close\r\n\r\n"
    )
    monkeypatch.setattr(answers_in_time, "READING_SECONDS", SHORT)
    with psycopg.connect(module_database_url) as locker, connected(walled) as connection:
        locker.execute("LOCK TABLE bankloom.accounts IN ACCESS EXCLUSIVE MODE")
        connection.sendall(asked)
        assert_refused(heard(connection), 503, "took_too_long")
    monkeypatch.undo()
    with connected(walled) as connection:
        connection.sendall(asked)
        assert heard(connection).startswith(b"HTTP/1.1 200")

"""Signed webhook deliveries, prepared beforehand, and how they are sent: steadily, or flat out.

Both run in a process of their own (`children.in_child`) over connections that are kept alive, and
do little more than to write and to read bytes.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from platypus_bank.webhooks import signing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from platypus_bank.webhooks.signing import SigningKey

PER_SECOND = 50
"""What more than a hundred thousand Items cause, if each has forty webhooks a day."""

CONNECTIONS = 8
WARM_UPS = 40
"""Deliveries that are not measured: the first asks for the key, all of them warm caches up."""


class Taken(NamedTuple):
    """A delivery that was taken: when it was due, as `time.time()` has it, and how long it took.

    The time runs from when it was due: one that had to wait for another's answer has waited.
    """

    due_at: float
    milliseconds: float


def steady(
    key: SigningKey,
    url: str,
    item_ids: Sequence[str],
    count: int,
    begin: Callable[[], None] = lambda: None,
) -> list[Taken]:
    """Send so many at a constant rate; `begin` is called when all is prepared and warm."""
    requests = _prepared(key, url, item_ids, count)
    return asyncio.run(_steady(url, requests, begin))


def flat_out(key: SigningKey, url: str, item_ids: Sequence[str], count: int) -> float:
    """Send the next as soon as the last is answered, on each connection; return deliveries a second."""
    requests = _prepared(key, url, item_ids, count)
    return asyncio.run(_flat_out(url, requests))


def signed(key: SigningKey, item_id: str, number: int) -> tuple[bytes, str]:
    """Return a body that says that an Item has something new, and its signature; no two are equal."""
    body = {
        "webhook_type": "TRANSACTIONS",
        "webhook_code": "SYNC_UPDATES_AVAILABLE",
        "item_id": item_id,
        "environment": "sandbox",
        "initial_update_complete": True,
        "historical_update_complete": True,
        "number": number,
    }
    written = signing.write(body).encode()
    return written, signing.sign(key, written, int(time.time()))


def _prepared(key: SigningKey, url: str, item_ids: Sequence[str], count: int) -> list[bytes]:
    host = urlsplit(url).netloc
    first = time.monotonic_ns()  # of another run's there are other numbers
    items = itertools.islice(itertools.cycle(item_ids), count + WARM_UPS)
    return [_request(host, *signed(key, item, first + n)) for n, item in enumerate(items)]


def _request(host: str, body: bytes, jwt: str) -> bytes:
    head = (
        f"POST /plaid/webhook HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Plaid-Verification: {jwt}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection:
    """One connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> _Connection:
        """Connect."""
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def deliver(self, request: bytes) -> None:
        """Send a request and read its answer, which must be 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        body = await self._reader.readexactly(int(length))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a delivery was not taken: {head!r} {body!r}")


async def _connected(url: str, requests: list[bytes]) -> list[_Connection]:
    """Return connections, warmed up with the first requests, which are taken off the list."""
    connections = [await _Connection.open(url) for _ in range(CONNECTIONS)]
    for number in range(WARM_UPS):
        await connections[number % CONNECTIONS].deliver(requests.pop())
    return connections


async def _steady(url: str, requests: list[bytes], begin: Callable[[], None]) -> list[Taken]:
    connections = await _connected(url, requests)
    begin()
    started = time.time()
    due = iter([(started + n / PER_SECOND, each) for n, each in enumerate(requests)])
    taken = await asyncio.gather(*(_deliver_when_due(each, due) for each in connections))
    return [each for by_connection in taken for each in by_connection]


async def _deliver_when_due(
    connection: _Connection, due: Iterator[tuple[float, bytes]]
) -> list[Taken]:
    taken = []
    for at, request in due:
        await asyncio.sleep(at - time.time())
        await connection.deliver(request)
        taken.append(Taken(at, 1000 * (time.time() - at)))
    return taken


async def _flat_out(url: str, requests: list[bytes]) -> float:
    connections = await _connected(url, requests)
    count, left = len(requests), iter(requests)
    started = time.perf_counter()
    await asyncio.gather(*(_deliver_all(each, left) for each in connections))
    return count / (time.perf_counter() - started)


async def _deliver_all(connection: _Connection, requests: Iterator[bytes]) -> None:
    for request in requests:
        await connection.deliver(request)

"""The engine that delivers what stands in the outbox, many at a time, until told to stop."""

import asyncio
import logging
import ssl
from contextlib import suppress
from functools import cache, partial

import httpx

from platypus_bank.clock import iso
from platypus_bank.webhooks import retries
from platypus_bank.webhooks.deliveries import OK, Attempt, Delivery
from platypus_bank.webhooks.forging import Sent, dress
from platypus_bank.world import World

_log = logging.getLogger(__name__)
MAX_IN_FLIGHT = 32
ANSWER_BYTES_MAX = 65_536  # as much of an answer is read, so that its connection can be used again
# The clock can only be advanced through us, which wakes the engine; this is for a machine that slept.
NAP_SECONDS_MAX = 30.0
HEADER = "Plaid-Verification"


class Sender:
    """Delivers the webhooks of a world; `wake` it after every commit that may have added some."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._woken = asyncio.Event()
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        self._idle: list[httpx.AsyncClient] = []

    def wake(self) -> None:
        """Look into the outbox again, soon."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; a try that was cut short is made again after the next start."""
        try:
            while True:
                self._woken.clear()
                now = self._world.clock.now()
                self._begin_due(now)
                await self._nap(now)
        finally:
            await self._stop()

    def _begin_due(self, now: float) -> None:
        free = MAX_IN_FLIGHT - len(self._in_flight)
        if self._world.charter.webhooks_held or not free:
            return
        for delivery in self._world.deliveries.due(now, free, self._in_flight):
            client = self._idle.pop() if self._idle else _new_client()
            task = asyncio.create_task(self._deliver(client, delivery))
            self._in_flight[delivery.number] = task
            task.add_done_callback(partial(self._landed, delivery, client))

    def _landed(
        self, delivery: Delivery, client: httpx.AsyncClient, task: asyncio.Task[None]
    ) -> None:
        self._idle.append(client)
        del self._in_flight[delivery.number]
        self.wake()
        if not task.cancelled() and (failure := task.exception()):
            _log.error("failed to deliver webhook %s", delivery.number, exc_info=failure)
            delivery.state, delivery.reason = "given_up", f"the emulator failed: {failure!r}"
            with self._world.store.commit():
                self._world.deliveries.put(delivery)

    async def _nap(self, now: float) -> None:
        due = self._world.deliveries.next_due(now)
        left = NAP_SECONDS_MAX if due is None else due - self._world.clock.now()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(left, 0.0), NAP_SECONDS_MAX)):
                await self._woken.wait()

    async def _stop(self) -> None:
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._idle:
            await client.aclose()

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        with self._world.store.commit():
            sent = dress(self._world, delivery)
        status, problem, retry_after = await self._try(client, delivery.url, sent)
        tried_at = self._world.clock.now()
        attempt = Attempt(
            time=iso(tried_at),
            status=status,
            problem=problem,
            verification=sent.headers[0] if sent.headers else None,
        )
        with self._world.store.commit():
            self._settle(delivery, attempt, tried_at, retry_after)

    async def _try(
        self, client: httpx.AsyncClient, url: str, sent: Sent
    ) -> tuple[int | None, str | None, float | None]:
        headers = [("Content-Type", "application/json"), ("User-Agent", "Platypus")]
        headers += [(HEADER, each) for each in sent.headers]
        timeout_seconds = self._world.charter.settings.webhook_timeout_seconds
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                client.stream("POST", url, content=sent.body, headers=headers) as answer,
            ):
                await _read_some(answer)
        except TimeoutError:
            return None, f"no answer within {timeout_seconds:g} seconds", None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failure:
            return None, f"{type(failure).__name__}: {failure}", None
        return answer.status_code, None, retries.seconds_of(answer.headers.get("Retry-After"))

    def _settle(
        self, delivery: Delivery, attempt: Attempt, tried_at: float, retry_after: float | None
    ) -> None:
        delivery.attempts.append(attempt)
        if attempt.status == OK:
            delivery.state = "delivered"
        # Written first, so that the receiver's record includes this very try.
        self._world.deliveries.put(delivery, tried_at)
        if attempt.status != OK:
            retries.plan(self._world, delivery, retry_after)
            self._world.deliveries.put(delivery)


def _new_client() -> httpx.AsyncClient:
    """Return a client for one delivery at a time: one pool of many connections is far slower."""
    return httpx.AsyncClient(
        verify=_trust(),
        limits=httpx.Limits(max_connections=1),
        timeout=None,  # noqa: S113 - one bound around the whole try, see _try
        trust_env=False,  # no proxy: receivers are mostly on this machine
    )


@cache
def _trust() -> ssl.SSLContext:
    """Return whom to trust, read once for all worlds."""
    return httpx.create_ssl_context()


async def _read_some(answer: httpx.Response) -> None:
    size = 0
    async for piece in answer.aiter_raw():
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            return

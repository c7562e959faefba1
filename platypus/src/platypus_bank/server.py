"""Running the application under uvicorn: announce, stop cleanly, drop connections when told."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from platypus_bank.app import make_app
from platypus_bank.plaid_door import DROP_EXTENSION
from platypus_bank.worlds import Worlds

_log = logging.getLogger(__name__)
SHUTDOWN_SECONDS = 2
IDLE_SECONDS = 75  # longer than clients keep an idle connection: who closes it first spoils no call
_BACKLOG = 512


class _DroppableProtocol(HttpToolsProtocol):
    """Offers the application a way to close the connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP_EXTENSION: {"abort": self.transport.abort}}


class _AnnouncingServer(uvicorn.Server):
    """Prints its URL once it accepts connections, and runs what the worlds do by themselves.

    When it stops, it hangs up on held calls.
    """

    def __init__(self, config: uvicorn.Config, worlds: Worlds) -> None:
        super().__init__(config)
        self._worlds = worlds
        self._own: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._worlds.start(self._spawn)
        host, port = (sockets or [])[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"Platypus is listening on http://{shown}:{port}\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._worlds.hang_up()
        for task in self._own:
            task.cancel()
        await asyncio.gather(*self._own, return_exceptions=True)
        await super().shutdown(sockets)

    def _spawn(self, forever: Coroutine[None, None, None]) -> Callable[[], object]:
        task = asyncio.create_task(forever)
        task.add_done_callback(self._ended)
        self._own.add(task)
        return task.cancel

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._own.discard(task)
        # Half an emulator would mislead: without its own tasks it stops.
        if not task.cancelled():
            _log.critical("the emulator failed and stops", exc_info=task.exception())
            self.should_exit = True


def serve(worlds: Worlds, host: str, port: int, allow_hosts: Sequence[str] = ()) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError when the address can't be had.

    `allow_hosts` are other names by which the control API may be called.
    """
    config = uvicorn.Config(
        make_app(worlds, [host, *allow_hosts]),
        http=_DroppableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=IDLE_SECONDS,
    )
    for each in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises a caught signal again once it has stopped; by then all is done.
        signal.signal(each, _already_stopped)
    with _listener(host, port) as listener:
        _AnnouncingServer(config, worlds).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _already_stopped(number: int, frame: FrameType | None) -> None:
    del number, frame

"""Checks by which name the service was called, so that no page reaches it through its own DNS entry."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bankloom.core.http_errors import UnknownHostError
from bankloom.routes.errors import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bankloom.core.settings import Settings

_HOST = re.compile(
    r"(?:\[([0-9a-f:.]+)\]|([^\[\]:/@\s]+?))\.?(?::\d{1,5})?", re.IGNORECASE | re.ASCII
)
_REMEMBERED_MAX = 256
ANY = "*"


class KnownHosts:
    """ASGI middleware: refuses a Host that is none of ours.

    An IP address is always taken: it is what probes call, and DNS rebinding needs a name. So is a
    request without a Host, which no browser sends.
    """

    def __init__(self, app: ASGIApp, settings: Settings, listens_on: str | None) -> None:
        self._app = app
        public = urlsplit(settings.public_url or "").hostname
        named = {"localhost", public, listens_on, *settings.allowed_hosts}
        self._names = {name.lower() for name in named if name and not name.startswith("*.")}
        self._endings = tuple(
            name[1:].lower() for name in settings.allowed_hosts if name[:2] == "*."
        )
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is for us."""
        if scope["type"] == "http" and not self._is_ours(scope):
            await answer(UnknownHostError())(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return not hosts
        if hosts[0] in self._known:
            return True
        if ANY not in self._names and not self._names_us(hosts[0].decode("latin-1")):
            return False
        if len(self._known) < _REMEMBERED_MAX:
            self._known.add(hosts[0])
        return True

    def _names_us(self, host: str) -> bool:
        read = _HOST.fullmatch(host)
        if read is None:
            return False
        name = (read[1] or read[2]).lower()
        return name in self._names or name.endswith(self._endings) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False

"""Keeps other websites out of /platypus: a person's browser must not be their way in.

The control API has no password. So a website could let a person's browser send forms to it
(cross-site request forgery), or give a name of its own to this machine's address and then speak to
it as to itself (DNS rebinding). Both need a browser, which says where a request comes from; other
clients send no Origin.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from platypus_bank.control.door import json_response

_READING = {"GET", "HEAD", "OPTIONS"}
_FROM_HERE = {"same-origin", "none"}  # none: the person typed the address
_FORBIDDEN = 403


class Gate:
    """Lets through what only reads, and what comes from this server's own pages or no browser.

    A name that this server does not know itself by reads nothing either: webhooks tell of Link.
    `hosts` are the names by which it may be reached, beside those of this machine; with an address
    that means all of them (`0.0.0.0`), any address will do: only names can be rebound.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = {each.strip("[]").lower() for each in hosts}
        addresses = [_address(each) for each in self._hosts]
        self._takes_any_address = any(each.is_unspecified for each in addresses if each)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        headers = Headers(scope=scope)
        problem = self._stranger(headers)
        if problem is None and scope["method"] not in _READING:
            problem = _foreign(headers)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await json_response(_FORBIDDEN, {"error": problem})(scope, receive, send)

    def _stranger(self, headers: Headers) -> str | None:
        host = headers.get("host", "").lower()
        if self._is_known(host):
            return None
        return (
            f"this server does not know itself as {host!r}: call it by a loopback address, or "
            "start it with --allow-host and that name"
        )

    def _is_known(self, host: str) -> bool:
        name = _name(host)
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or self._takes_any_address)


def _foreign(headers: Headers) -> str | None:
    host = headers.get("host", "").lower()
    if any(urlsplit(each).netloc != host for each in headers.getlist("origin")):
        return "the request comes from a page of another origin"
    if not set(headers.getlist("sec-fetch-site")) <= _FROM_HERE:
        return "the request comes from a page of another site"
    return None


def _name(host: str) -> str:
    """Return a Host header without its port, "" where it is nonsense."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None

"""Puts on every answer what a browser must hold to: what it may load, frame, keep and tell others."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bankloom.routes.hardening import content_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bankloom.core.settings import Settings

NONCE_BYTES = 16
HSTS_SECONDS = 31_536_000
"""A year, as browsers' lists ask for; without subdomains, which may be anybody's."""

KEPT = ("/static-offline-docs/", "/console/static/", "/healthz", "/readyz")
"""What anybody may see, and so may keep. Every other answer may tell of somebody's money."""

Header = tuple[bytes, bytes]

_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
)
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=%d" % HSTS_SECONDS)
_NO_STORE = (b"cache-control", b"no-store")

HEADERS_OF_DATA: tuple[Header, ...] = (*_ALWAYS, content_policy.OF_DATA, _NO_STORE)
"""For answers that are given before there is a request."""


def nonce_of(request: Request) -> str:
    """Return the nonce that a page puts on its own `<script>` and `<style>` elements."""
    nonce: str = request.state.csp_nonce
    return nonce


def allow_link(request: Request) -> None:
    """Let the page that answers this request open Plaid's Link."""
    request.state.csp_link = True


def add_to_answer(request: Request, headers: Iterable[tuple[str, str]]) -> None:
    """Put headers on the answer of this request, whether it succeeds or is an error."""
    request.state.answer_headers += [(name.encode(), value.encode()) for name, value in headers]


class SafeHeaders:
    """ASGI middleware: gives each request a nonce, and each answer its headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._is_public_by_tls = (settings.public_url or "").startswith("https:")
        self._link = content_policy.link_sources(settings.plaid)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["csp_nonce"] = secrets.token_urlsafe(NONCE_BYTES)
        state["answer_headers"] = []

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers") or ()
                message["headers"] = [*given, *self._headers(scope, dict(given))]
            await send(message)

        await self._app(scope, receive, safe)

    def _headers(self, scope: Scope, given: dict[bytes, bytes]) -> list[Header]:
        state = scope["state"]
        added = [*_ALWAYS, *state["answer_headers"]]
        if given.get(b"content-type", b"").startswith(b"text/html"):
            added += content_policy.of_page(state["csp_nonce"], self._link_of(state))
        else:
            added.append(content_policy.OF_DATA)
        if b"cache-control" not in given and not scope["path"].startswith(KEPT):
            added.append(_NO_STORE)
        if self._is_public_by_tls or scope["scheme"] == "https":
            added.append(_STRICT_TRANSPORT)
        return added

    def _link_of(self, state: dict[str, Any]) -> content_policy.LinkSources | None:
        return self._link if state.get("csp_link") else None

"""The Content-Security-Policy of data, of pages, and of pages that open Plaid's Link."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from bankloom.core.settings import PlaidSettings

Header = tuple[bytes, bytes]
_NAME = b"content-security-policy"

OF_DATA: Header = (_NAME, b"default-src 'none'; frame-ancestors 'none'")
"""Of JSON, text, images, scripts: opened by itself, it may do nothing."""


class LinkSources(NamedTuple):
    """Where Link comes from, what it is framed from, and what it asks."""

    script: str
    frame: str
    connect: str


def link_sources(plaid: PlaidSettings) -> LinkSources:
    """Return Plaid's documented hosts (plaid.com/docs/link/web, "CSP directives"), or those of a stand-in."""
    if plaid.base_url:
        place = urlsplit(plaid.host)
        origin = f"{place.scheme}://{place.netloc}"
        return LinkSources(origin, origin, origin)
    script = "https://cdn.plaid.com/link/v2/stable/link-initialize.js"
    return LinkSources(script, "https://cdn.plaid.com", plaid.host)


def of_page(nonce: str, link: LinkSources | None) -> list[Header]:
    """Return the headers of a page: nothing inline but under its nonce, nothing from anywhere but here."""
    ours = {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{nonce}'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }
    if link:
        ours["script-src"] += f" {link.script}"
        ours["connect-src"] += f" {link.connect}"
        ours["frame-src"] = link.frame
    policy = "; ".join(f"{name} {sources}" for name, sources in ours.items())
    return [(_NAME, policy.encode()), _opener(link)]


def _opener(link: LinkSources | None) -> Header:
    """Cut the page off from windows it did not open; a bank's must find its way back to Link."""
    allowed = b"same-origin-allow-popups" if link else b"same-origin"
    return (b"cross-origin-opener-policy", allowed)

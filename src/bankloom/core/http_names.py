"""Names, networks and origins as the settings take them. Errors: `ValueError`, saying what is expected."""

from __future__ import annotations

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

ANY = "*"
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def host(text: str) -> str:
    """Read the name of a host, `*.` and a name, or `*`."""
    name = text.lower().rstrip(".")
    if name != ANY and not _HOST.fullmatch(name):
        raise ValueError("each must be a host's name without scheme, port or path, *.NAME, or *")
    return name


def network(text: str) -> str:
    """Read an IP address or a network; none stands for all, or any caller could lie about itself."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError("each must be an IP address or a network like 10.0.0.0/8") from None


def origin(text: str) -> str:
    """Read an origin as browsers send it: scheme, host and, unless it is the scheme's own, port; or `*`."""
    parts = urlsplit(text)
    if text not in {ANY, f"{parts.scheme}://{parts.netloc}"}:
        raise ValueError(
            "each must be an origin like https://app.example.com, without a path, or *"
        )
    return text.lower()

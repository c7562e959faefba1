"""`bankloom signin`: a link that signs a browser in to the console, once."""

from __future__ import annotations

from typing import Annotated

import typer

from bankloom.cli.opened import opened
from bankloom.services import console_access

Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the console is; BANKLOOM_PUBLIC_URL, or this machine."),
]


def signin(url: Url = None) -> None:
    """Print a link that signs you in to the console, once, within 15 minutes."""
    with opened() as runtime:
        base = url or runtime.settings.public_url or "http://127.0.0.1:8000"
        typer.echo(sign_in_link(base, console_access.new_code(runtime)))


def sign_in_link(base: str, code: str) -> str:
    """Return the link; what stands behind the # stays in the browser."""
    return f"{base.rstrip('/')}/console/signin#{code}"

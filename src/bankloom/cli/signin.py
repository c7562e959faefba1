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

EndAll = Annotated[
    bool, typer.Option("--end-all", help="First end every session, and every unused link.")
]


def signin(url: Url = None, *, end_all: EndAll = False) -> None:
    """Print a link that signs you in to the console, once, within 15 minutes."""
    with opened() as runtime:
        if end_all:
            typer.echo(f"{console_access.end_all(runtime)} sessions were ended.", err=True)
        base = url or runtime.settings.public_url or "http://127.0.0.1:8000"
        typer.echo(sign_in_link(base, console_access.new_code(runtime)))


def sign_in_link(base: str, code: str) -> str:
    """Return the link; what stands behind the # stays in the browser."""
    return f"{base.rstrip('/')}/console/signin#{code}"

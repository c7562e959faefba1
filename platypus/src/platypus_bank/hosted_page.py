"""The page behind a hosted Link URL: it says how to go on, until there is a Link page."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from platypus_bank.endpoints.link import hosted_link_token
from platypus_bank.errors import InvalidLinkToken
from platypus_bank.records import LinkToken
from platypus_bank.worlds import Worlds

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Platypus Link</title>
<h1>Connect a bank</h1>
<p>This emulator has no Link page yet. To connect a bank, send
<code>{{"link_token": "{token}"}}</code> to <code>POST /platypus/link/complete</code>;
to leave without one, send it to <code>POST /platypus/link/exit</code>.</p>
"""
_GONE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Platypus Link</title>
<h1>This link has expired</h1>
"""


def page(worlds: Worlds) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of `GET /hl/{name}`; a browser has no client_id, so all worlds are asked."""

    async def answer(request: Request) -> Response:
        token = _find(worlds, request.path_params["name"])
        if token is None:
            return HTMLResponse(_GONE, 404)
        return HTMLResponse(_PAGE.format(token=escape(token.id)))

    return answer


def _find(worlds: Worlds, name: str) -> LinkToken | None:
    for each in worlds.every():
        with suppress(InvalidLinkToken):
            return hosted_link_token(each.world, name)
    return None

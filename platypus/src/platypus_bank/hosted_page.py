"""The page behind a hosted Link URL: it says how to go on, until there is a Link page."""

from collections.abc import Awaitable, Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from platypus_bank.endpoints.link import hosted_link_token
from platypus_bank.errors import InvalidLinkToken
from platypus_bank.service import Service

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Platypus Link</title>
<h1>Connect a bank</h1>
<p>This emulator has no Link page yet. To connect a bank, send
<code>{{"link_token": "{token}"}}</code> to <code>POST /platypus/link/complete</code>;
to leave without one, send it to <code>POST /platypus/link/exit</code>.</p>
"""
_GONE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Platypus Link</title>
<h1>This link has expired</h1>
"""


def page(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of `GET /hl/{name}`."""

    async def answer(request: Request) -> Response:
        try:
            token = hosted_link_token(service.world, request.path_params["name"])
        except InvalidLinkToken:
            return HTMLResponse(_GONE, 404)
        return HTMLResponse(_PAGE.format(token=escape(token.id)))

    return answer

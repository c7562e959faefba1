"""Lets pages of other origins call the API, where the operator has named them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from bankloom.core.http_errors import OriginRefusedError
from bankloom.routes import request_id
from bankloom.routes.errors import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp

METHODS = ("GET", "POST", "DELETE")
ASKED_HEADERS = ("Authorization", "Content-Type", request_id.HEADER)
TOLD_HEADERS = (request_id.HEADER, "RateLimit", "RateLimit-Policy", "Retry-After")


class Cors(CORSMiddleware):
    """Starlette's, without cookies: a page of another origin proves itself by a key, or not at all."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=ASKED_HEADERS,
            expose_headers=TOLD_HEADERS,
            allow_credentials=False,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's question; a refusal has the shape of every error."""
        told = super().preflight_response(request_headers)
        return told if told.status_code < 400 else answer(OriginRefusedError())  # noqa: PLR2004 - HTTP's

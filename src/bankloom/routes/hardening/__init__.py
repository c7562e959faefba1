"""Walls around every route: what a request may cost, whom it may come from, what its answer allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.routes.hardening.answers_in_time import AnswersInTime
from bankloom.routes.hardening.cors import Cors
from bankloom.routes.hardening.headers import SafeHeaders
from bankloom.routes.hardening.hosts import KnownHosts
from bankloom.routes.hardening.rates import Rates

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from bankloom.core.settings import Settings


def install(app: FastAPI, settings: Settings, listens_on: str | None = None) -> None:
    """Put the walls around the app; `listens_on` is the name that the server was told to listen on."""
    app.state.rates = Rates(settings)
    inner = app.build_middleware_stack

    def walled() -> ASGIApp:
        """Not by `add_middleware`, which would put them inside of what answers an unexpected error."""
        stack: ASGIApp = AnswersInTime(inner())
        if settings.cors_origins:
            stack = Cors(stack, settings.cors_origins)
        stack = KnownHosts(stack, settings, listens_on)
        return SafeHeaders(stack, settings)

    app.build_middleware_stack = walled  # type: ignore[method-assign]  # as said

"""Tells Prometheus how all processes do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from bankloom.routes import shapes
from bankloom.routes.access import MayRead
from bankloom.services import metrics

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses=shapes.errors(404))
def show_metrics(call: MayRead, accept: Annotated[str, Header()] = "") -> Response:
    """Answer in Prometheus's text format, or in OpenMetrics where that is asked for."""
    call.caller.require_everyone()
    body, content_type = metrics.text_of(call.runtime, accept)
    return Response(body, headers={"Content-Type": content_type})

"""The door for Plaid's webhooks: what it believes it has stored when it answers 200."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from bankloom.core.errors import WebhookUndecidedError
from bankloom.core.signatures import HEADER
from bankloom.routes import shapes
from bankloom.services.webhooks.receive import BODY_BYTES_MAX, Received

if TYPE_CHECKING:
    from bankloom.routes.threads import Threads
    from bankloom.services.webhooks.receive import Intake

router = APIRouter(prefix="/plaid", tags=["webhooks"])

BODY_SECONDS_MAX = 10.0
"""Plaid waits that long for an answer; a body that comes slower is nobody's we know."""


@router.post("/webhook", responses=shapes.errors(401, 413))
async def receive(request: Request) -> dict[str, str]:
    """Take one of Plaid's webhooks. No API key: the header `Plaid-Verification` proves who sent it."""
    # Not by Depends: FastAPI would look each up in a thread that all other routes share.
    intake: Intake = request.app.state.intake
    threads: Threads = request.app.state.threads
    received = await _received(request, intake)
    claim = intake.read(received)
    if not intake.knows(claim):
        await threads.learn_key(intake.learn, received, claim)
    await threads.take_delivery(intake.accept, received, claim)
    return {"status": "received"}


async def _received(request: Request, intake: Intake) -> Received:
    """Read the request. Errors: `BodyTooLargeError`; `WebhookUndecidedError` if it does not end."""
    received = Received(
        request.headers.getlist(HEADER), b"", request.client.host if request.client else None
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
        intake.refuse_too_large(received)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    intake.refuse_too_large(received)
    except (TimeoutError, ClientDisconnect) as error:
        raise WebhookUndecidedError from error
    return received._replace(body=bytes(body))

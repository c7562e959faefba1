"""The reference of the webhook's figures: a FastAPI endpoint that verifies the JWT, and does nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from joserfc import jws
from joserfc.jwk import ECKey

from platypus_bank.webhooks import signing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from platypus_bank.webhooks.signing import SigningKey

_START_SECONDS = 30
_AGE_SECONDS_MAX = 300


class Bare(NamedTuple):
    """The endpoint's base URL, and the process that answers there."""

    url: str
    pid: int


@contextmanager
def running_bare(key: SigningKey) -> Iterator[Bare]:
    """Serve the endpoint from a process of its own for the length of a block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, signing.jwk(key)))
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_SECONDS):
            raise RuntimeError("the bare endpoint did not start")
        yield Bare(ours.recv(), process.pid or 0)
    finally:
        process.terminate()
        process.join()


def _serve(ready: Connection, jwk: dict[str, Any]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(_app(jwk), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def _app(jwk: dict[str, Any]) -> FastAPI:
    public: dict[str, str | list[str]] = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
    key, registry = ECKey.import_key(public), jws.JWSRegistry(algorithms=["ES256"])
    app = FastAPI()

    async def receive(request: Request) -> dict[str, str]:
        body = await request.body()
        token = jws.deserialize_compact(
            request.headers["Plaid-Verification"], key, registry=registry
        )
        claims = json.loads(token.payload)
        said, is_ = claims["request_body_sha256"], hashlib.sha256(body).hexdigest()
        if not hmac.compare_digest(said, is_) or time.time() - claims["iat"] > _AGE_SECONDS_MAX:
            raise HTTPException(401)
        return {"status": "received"}

    app.post("/plaid/webhook")(receive)
    return app

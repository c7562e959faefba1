"""How a control call is read and answered: JSON in, JSON out, refusals with a sentence."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from platypus_bank.errors import PlaidError
from platypus_bank.exact_json import decode, encode
from platypus_bank.records import Item
from platypus_bank.service import Service
from platypus_bank.worlds import AmbiguousError, Worlds

S = TypeVar("S", bound=Struct)


class RefusedError(Exception):
    """The control call can't be done; the message says why."""

    status = 400


class UnknownError(RefusedError):
    """It names something that doesn't exist."""

    status = 404


class Knock(Struct, kw_only=True):
    """One control call: path parameters, query parameters, and the JSON body."""

    service: Service
    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]

    def read(self, kind: type[S]) -> S:
        """Return the body as `kind`; raises RefusedError."""
        try:
            return msgspec.convert(self.body, kind)
        except msgspec.ValidationError as problem:
            raise RefusedError(str(problem)) from problem

    def item(self) -> Item:
        """Return the Item named in the path; raises UnknownError."""
        item = self.service.world.store.get(Item, self.path["item_id"])
        if item is None:
            raise UnknownError(f"no Item {self.path['item_id']} in this world")
        return item


Action = Callable[[Knock], dict[str, Any]]


def door(worlds: Worlds, methods: Mapping[str, Action]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of one control path; each call is one commit of one world."""

    async def answer(request: Request) -> Response:
        text = await request.body()
        try:
            service = _meant(worlds, request)
            knock = Knock(
                service=service,
                path=dict(request.path_params),
                query=dict(request.query_params),
                body=_object(text),
            )
            with service.commit():
                found = methods[request.method](knock)
            return json_response(200, found)
        except PlaidError as refusal:
            return json_response(refusal.status, refusal.body())
        except RefusedError as refusal:
            return json_response(refusal.status, {"error": str(refusal)})

    return answer


def _meant(worlds: Worlds, request: Request) -> Service:
    """Return the world of the client that is named, or the only one; raises RefusedError."""
    named = request.query_params.get("client_id") or request.headers.get("plaid-client-id")
    try:
        return worlds.of(named) if named else worlds.only()
    except AmbiguousError as problem:
        raise RefusedError(str(problem)) from problem


async def no_such_control(request: Request, problem: Exception) -> Response:
    """Say in JSON that /platypus has no such path or method."""
    status = getattr(problem, "status_code", UnknownError.status)
    sentence = f"the control API has no {request.method} {request.url.path}; see the README"
    return json_response(status, {"error": sentence})


def _object(text: bytes) -> dict[str, Any]:
    try:
        fields = decode(text or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise RefusedError(f"the body is not JSON: {problem}") from problem
    if not isinstance(fields, dict):
        raise RefusedError("the body must be a JSON object")
    return fields


def json_response(status: int, body: dict[str, Any]) -> Response:
    """Answer with JSON, whose numbers keep their digits."""
    return Response(encode(body), status, media_type="application/json")

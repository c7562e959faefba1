"""The door Plaid's clients knock on: authenticate, spoil if told to, dispatch, answer."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from platypus_bank import ids
from platypus_bank.calls import Call
from platypus_bank.clock import iso
from platypus_bank.endpoints import (
    File,
    Reply,
    accounts,
    elsewhere,
    enrich,
    holders,
    institutions,
    investments,
    items,
    liabilities,
    link,
    recurring,
    sandbox,
    sandbox_transactions,
    statements,
    transactions,
    webhooks,
)
from platypus_bank.errors import (
    IncompatibleApiVersion,
    InternalServerError,
    InvalidApiKeys,
    InvalidBody,
    InvalidHeaders,
    NotFound,
    PlaidError,
)
from platypus_bank.exact_json import encode
from platypus_bank.faults.planted import StoppingError
from platypus_bank.published_limits import limits_of
from platypus_bank.records import AccessToken, PublicToken
from platypus_bank.requests import read_object, read_request
from platypus_bank.service import Service
from platypus_bank.world import World
from platypus_bank.worlds import Worlds

_log = logging.getLogger(__name__)
_WITHOUT_KEYS = {"/categories/get"}
DROP_EXTENSION = "platypus.drop"
ENDPOINTS = {
    **accounts.TABLE,
    **enrich.TABLE,
    **holders.TABLE,
    **institutions.TABLE,
    **investments.TABLE,
    **items.TABLE,
    **liabilities.TABLE,
    **link.TABLE,
    **recurring.TABLE,
    **sandbox.TABLE,
    **sandbox_transactions.TABLE,
    **statements.TABLE,
    **transactions.TABLE,
    **webhooks.TABLE,
}


class Door:
    """Answers every Plaid path, in the world of the client that calls."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    async def __call__(self, request: Request) -> Response:
        """Answer one call, or spoil it as a planted fault says."""
        body = await request.body()
        fields = _fields_or_nothing(body)
        client_id = _credential(request, fields, "client_id")
        service = self._worlds.of(client_id) if client_id else self._worlds.any()
        call = _note(service, request.url.path, fields)
        visit = Visit(service, request, body, call)
        fault = service.faults.take(visit)
        if fault is None:
            return visit.answer()
        call.fault_id, call.fault = fault.id, fault.name
        try:
            return await fault.spoil(visit, fault)
        except StoppingError:
            return visit.hang_up()


def _note(service: Service, path: str, fields: dict[str, Any]) -> Call:
    call = Call(
        path=path,
        time=iso(service.world.clock.now()),
        request_id=ids.request_id(),
        item_id=_item_id(service.world, fields),
        **(Call.sync_fields(fields) if path == "/transactions/sync" else {}),
    )
    service.calls.add(call)
    return call


class Visit(NamedTuple):
    """One call of a client, in its world."""

    service: Service
    request: Request
    body: bytes
    call: Call

    @property
    def world(self) -> World:
        """The world of the client that calls."""
        return self.service.world

    def commit(self) -> AbstractContextManager[None]:
        """Make everything inside one change of the world."""
        return self.service.commit()

    def hang_up(self) -> Response:
        """Close the connection without an answer."""
        self.request.scope["extensions"][DROP_EXTENSION]["abort"]()
        return Response()

    def refuse(self, status: int, body: dict[str, object]) -> Response:
        """Answer with an error in Plaid's shape; nothing happens."""
        self.call.error_code = str(body["error_code"])
        return _respond(self.call, status, body)

    def answer(self) -> Response:
        """Answer as Plaid would."""
        call = self.call
        try:
            return _respond(call, 200, self._found())
        except PlaidError as refusal:
            return self.refuse(refusal.status, refusal.body())
        except Exception:  # noqa: BLE001 - the last wall: whatever breaks is a 500, logged
            _log.exception("failed to answer %s (request_id %s)", call.path, call.request_id)
            return _respond(call, InternalServerError.status, InternalServerError().body())

    def _found(self) -> Reply:
        call, world = self.call, self.service.world
        kind, handler = ENDPOINTS.get(call.path, (None, None))
        if self.request.method != "POST":
            raise NotFound
        world.address = str(self.request.base_url).rstrip("/")
        _check_content_type(self.request)
        fields = read_object(self.body)
        if call.path not in _WITHOUT_KEYS:
            _authenticate(self.request, fields, world.charter.settings.secrets)
        if kind is None or handler is None:
            _log.warning("not emulated: %s", call.path)
            raise elsewhere.refusal(call.path)
        limits = limits_of(world.charter.settings.rate_limits)
        now = world.clock.now()
        self.service.rate_limits.admit(limits, call.path, call.item_id, now)
        typed = read_request(kind, fields)
        return self._commit(lambda: handler(world, typed))

    def _commit(self, effect: Callable[[], Reply]) -> Reply:
        refusal: PlaidError | None = None
        answer: Reply = {}
        with self.service.commit():
            try:
                answer = effect()
            except PlaidError as problem:
                # A refusal is an answer too: what time or first use brought about stays.
                refusal = problem
        if refusal is not None:
            raise refusal
        return answer


def _check_content_type(request: Request) -> None:
    given = request.headers.get("content-type")
    if given is None:
        raise InvalidHeaders
    if given.partition(";")[0].strip().lower() != "application/json":
        raise InvalidBody


def _authenticate(request: Request, fields: dict[str, Any], secrets: list[str] | None) -> None:
    # Any non-empty pair will do, unless the world names its secrets. What was sent is dropped here:
    # never stored, never logged.
    client_id, secret = (_credential(request, fields, name) for name in ("client_id", "secret"))
    if not (client_id and secret):
        raise IncompatibleApiVersion if "public_key" in fields else InvalidApiKeys
    if secrets is not None and secret not in secrets:
        raise InvalidApiKeys
    fields.pop("client_id", None)
    fields.pop("secret", None)


def _credential(request: Request, fields: dict[str, Any], name: str) -> str | None:
    """Return the client_id or the secret, from the header or else from the body."""
    given = request.headers.get(f"plaid-{name}".replace("_", "-")) or fields.get(name)
    return given if isinstance(given, str) else None


def _fields_or_nothing(body: bytes) -> dict[str, Any]:
    try:
        return read_object(body)
    except InvalidBody:
        return {}


def _item_id(world: World, fields: dict[str, Any]) -> str | None:
    access, public = fields.get("access_token"), fields.get("public_token")
    if isinstance(access, str):
        token = world.store.get(AccessToken, access)
        return None if token is None else token.owner
    if isinstance(public, str):
        found = world.store.get(PublicToken, public)
        return None if found is None else found.owner
    return None


def _respond(call: Call, status: int, body: Reply) -> Response:
    call.status = status
    if isinstance(body, File):
        headers = body.headers(call.request_id)
        return Response(body.content, status, headers, body.media_type)
    content = encode(body | {"request_id": call.request_id})
    return Response(content, status, media_type="application/json")

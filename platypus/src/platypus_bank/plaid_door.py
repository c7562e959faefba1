"""The door Plaid's clients knock on: authenticate, spoil if told to, dispatch, answer."""

import logging
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from platypus_bank import ids
from platypus_bank.calls import Call
from platypus_bank.clock import iso
from platypus_bank.endpoints import (
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
    transactions,
    webhooks,
)
from platypus_bank.errors import (
    InternalServerError,
    InvalidApiKeys,
    InvalidBody,
    NotFound,
    PlaidError,
)
from platypus_bank.exact_json import encode
from platypus_bank.faults import Fault
from platypus_bank.records import AccessToken, PublicToken
from platypus_bank.requests import read_object, read_request
from platypus_bank.service import Service
from platypus_bank.world import World

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
    **transactions.TABLE,
    **webhooks.TABLE,
}


class Door:
    """Answers every Plaid path of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, request: Request) -> Response:
        """Answer one call, or spoil it as a planted fault says."""
        body = await request.body()
        fields = _fields_or_nothing(body)
        call = self._note(request.url.path, fields)
        fault = self._service.faults.take(call.path, call.item_id)
        if fault is None:
            return self._run(request, body, call)
        call.fault_id = fault.id
        await fault.wait()
        if self._service.faults.closing:
            return _hang_up(request)
        return self._spoil(fault, call, request, lambda: self._run(request, body, call))

    def _note(self, path: str, fields: dict[str, Any]) -> Call:
        world = self._service.world
        call = Call(
            path=path,
            time=iso(world.clock.now()),
            request_id=ids.request_id(),
            item_id=_item_id(world, fields),
            **(Call.sync_fields(fields) if path == "/transactions/sync" else {}),
        )
        self._service.calls.add(call)
        return call

    def _spoil(
        self, fault: Fault, call: Call, request: Request, run: Callable[[], Response]
    ) -> Response:
        wanted = fault.request
        if wanted.drop or wanted.drop_after_effect:
            if wanted.drop_after_effect:
                run()
                call.status = None
            return _hang_up(request)
        if wanted.error is not None:
            call.error_code = wanted.error.error_code
            return _respond(call, wanted.error.status, wanted.error.body())
        if wanted.body is not None:
            call.status = 200
            return Response(wanted.body, media_type="application/json")
        return run()

    def _run(self, request: Request, body: bytes, call: Call) -> Response:
        try:
            return _respond(call, 200, self._answer(request, body, call))
        except PlaidError as refusal:
            answer = refusal.body()
            call.error_code = str(answer["error_code"])
            return _respond(call, refusal.status, answer)
        except Exception:  # noqa: BLE001 - the last wall: whatever breaks is a 500, logged
            _log.exception("failed to answer %s (request_id %s)", call.path, call.request_id)
            return _respond(call, InternalServerError.status, InternalServerError().body())

    def _answer(self, request: Request, body: bytes, call: Call) -> dict[str, Any]:
        kind, handler = ENDPOINTS.get(call.path, (None, None))
        if request.method != "POST":
            raise NotFound
        self._service.world.address = str(request.base_url).rstrip("/")
        fields = read_object(body)
        if call.path not in _WITHOUT_KEYS:
            _authenticate(request, fields)
        if kind is None or handler is None:
            _log.warning("not emulated: %s", call.path)
            raise elsewhere.refusal(call.path)
        limits = self._service.world.charter.settings.rate_limits or {}
        self._service.rate_limits.admit(limits, call.path, call.item_id)
        typed = read_request(kind, fields)
        return self._commit(lambda: handler(self._service.world, typed))

    def _commit(self, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        refusal: PlaidError | None = None
        answer: dict[str, Any] = {}
        with self._service.commit():
            try:
                answer = effect()
            except PlaidError as problem:
                # A refusal is an answer too: what time or first use brought about stays.
                refusal = problem
        if refusal is not None:
            raise refusal
        return answer


def _hang_up(request: Request) -> Response:
    request.scope["extensions"][DROP_EXTENSION]["abort"]()
    return Response()


def _authenticate(request: Request, fields: dict[str, Any]) -> None:
    # Any non-empty pair will do. The values are dropped here: never stored, never logged.
    for name in ("client_id", "secret"):
        header = request.headers.get(f"plaid-{name}".replace("_", "-"))
        if not (header or fields.pop(name, None)):
            raise InvalidApiKeys
        fields.pop(name, None)


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


def _respond(call: Call, status: int, body: dict[str, Any]) -> Response:
    call.status = status
    content = encode(body | {"request_id": call.request_id})
    return Response(content, status, media_type="application/json")

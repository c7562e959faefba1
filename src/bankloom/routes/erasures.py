"""Erasing: an Item, or a whole person, at Plaid and here; and the receipts."""

from __future__ import annotations

import enum
import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query

from bankloom.routes import erasure_shapes, shapes
from bankloom.routes.access import MayAdmin, MayLink, MayRead, RuntimeDep
from bankloom.routes.answers import JsonAnswer
from bankloom.routes.item_shapes import ItemId
from bankloom.routes.threads import ThreadsDep
from bankloom.services.api_access import Caller
from bankloom.services.erasures import erase_item, erase_user, receipts
from bankloom.services.erasures.receipts import Receipt
from bankloom.services.erasures.work import Effort
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from bankloom.models import Erasure

router = APIRouter(prefix="/plaid", tags=["erasure"])

IN_CALL_SECONDS = 10.0
"""So long a call erases; a turn of the worker goes on with the rest, and the receipt tells how far."""


class Data(enum.StrEnum):
    """What becomes of an Item's data."""

    DELETE = "delete"
    KEEP = "keep"


WhatOfData = Annotated[
    Data, Query(description="`keep` leaves accounts and transactions to be read.")
]
UserName = Annotated[shapes.UserId, Path(description="Your id of the person.")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {
        "model": erasure_shapes.ReceiptAnswer,
        "description": "not finished: it goes on by itself",
    }
}


@router.delete(
    "/items/{item_id}",
    response_model=erasure_shapes.ReceiptAnswer,
    responses=shapes.errors(404, 409, 502) | _ANSWERS,
)
async def remove_item(
    item_id: ItemId,
    call: MayLink,
    runtime: RuntimeDep,
    threads: ThreadsDep,
    data: WhatOfData = Data.DELETE,
) -> JsonAnswer:
    """Remove an Item at Plaid, which ends its billing, and then delete its data, or keep that.

    Safe to repeat. Where Plaid does not remove it, all is kept.
    """
    service = _service(runtime, call.caller)
    return _answer(await threads.call_plaid(_remove_item, service, call.caller, item_id, data))


def _service(runtime: Runtime, caller: Caller) -> Runtime:
    """Return the parts of the service: no confined role may delete, and the reach is looked at first."""
    return runtime.acting_for(caller.name)


def _remove_item(runtime: Runtime, caller: Caller, item_id: str, data: Data) -> Receipt:
    wish = erase_item.Wish(data is Data.KEEP, caller.user_id)
    erasure = erase_item.now(runtime, item_id, _effort(), wish)
    return receipts.find(runtime, erasure.id, caller.user_id)


@router.delete(
    "/users/{user_id}",
    response_model=erasure_shapes.ReceiptAnswer,
    responses=shapes.errors(404) | _ANSWERS,
)
async def erase_person(user_id: UserName, call: MayAdmin, threads: ThreadsDep) -> JsonAnswer:
    """Erase a person: their Items at Plaid and here, their API keys, their Link sessions, and them."""
    return _answer(await threads.call_plaid(_erase_person, call.runtime, user_id))


def _erase_person(runtime: Runtime, name: str) -> Receipt:
    erasure = erase_user.now(runtime, name, _effort())
    return receipts.find(runtime, erasure.id, None)


@router.get(
    "/receipts/{receipt_id}",
    response_model=erasure_shapes.ReceiptAnswer,
    responses=shapes.errors(404),
)
def show_receipt(receipt_id: uuid.UUID, call: MayRead, runtime: RuntimeDep) -> JsonAnswer:
    """Tell how far an erasure has come: once it is finished, its receipt."""
    receipt = receipts.find(_service(runtime, call.caller), receipt_id, call.caller.user_id)
    return JsonAnswer(_receipt_json(receipt))


def _effort() -> Effort:
    ends_at = time.monotonic() + IN_CALL_SECONDS
    return Effort(lambda: time.monotonic() >= ends_at)


def _answer(receipt: Receipt) -> JsonAnswer:
    return JsonAnswer(_receipt_json(receipt), 200 if receipt.erasure.finished_at else 202)


def _receipt_json(receipt: Receipt) -> dict[str, Any]:
    parts = [_part_json(part) | {"rows_deleted": part.rows_deleted} for part in receipt.parts]
    whole = _part_json(receipt.erasure) | {"rows_deleted": receipt.rows_deleted}
    return whole | {"parts": parts}


def _part_json(erasure: Erasure) -> dict[str, Any]:
    error = erasure.error_code and {
        "code": erasure.error_code,
        "message": erasure.error_message,
        "request_id": erasure.request_id,
    }
    return {
        "receipt_id": erasure.id,
        "subject": erasure.subject,
        "subject_hash": erasure.subject_hash,
        "item_id": erasure.item_id,
        "data": Data.KEEP if erasure.keeps_data else Data.DELETE,
        "status": "finished" if erasure.finished_at else "erasing",
        "asked_at": erasure.asked_at,
        "asked_by": erasure.asked_by,
        "plaid": _plaid_json(erasure),
        "error": error or None,
        "next_try_at": erasure.next_try_at,
        "finished_at": erasure.finished_at,
    }


def _plaid_json(erasure: Erasure) -> dict[str, Any] | None:
    if erasure.removed_at is None:
        return None
    return {
        "removed_at": erasure.removed_at,
        "already_gone": erasure.already_gone,
        "request_id": erasure.removal_request_id,
    }

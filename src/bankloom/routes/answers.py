"""Turns rows into JSON: money as numbers with the exact digits received."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from fastapi import Response

from bankloom.core.errors import InvalidRequestError
from bankloom.models import RunStatus
from bankloom.services.show_run import has_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Row

    from bankloom.models import Account, SyncRun, Transaction
    from bankloom.services.show_run import Standing

Key = TypeVar("Key")
Id = TypeVar("Id")

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

DOCUMENTED_FIELDS = (
    "account_id", "amount", "iso_currency_code", "unofficial_currency_code", "category", "category_id",
    "check_number", "date", "location", "name", "merchant_name", "original_description", "payment_meta",
    "pending", "pending_transaction_id", "account_owner", "transaction_id", "transaction_type",
    "logo_url", "website", "authorized_date", "authorized_datetime", "datetime", "payment_channel",
    "personal_finance_category", "personal_finance_category_icon_url", "transaction_code",
    "counterparties", "merchant_entity_id", "client_customization", "merchant_category_code",
)  # fmt: skip
"""Spec `Transaction`; a field that Plaid left out is null here, so that every row has them all."""

_ABSENT = dict.fromkeys(DOCUMENTED_FIELDS)


class JsonAnswer(Response):
    """A JSON response in which a Decimal is a number, not a string."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode the content."""
        return _encoder.encode(content)


def account_json(row: Row[Account, str, str]) -> dict[str, Any]:
    """Return one element of `GET /plaid/accounts`."""
    account, user_name, institution = row
    return {
        "id": account.id,
        "name": account.name,
        "balance": account.available if account.current is None else account.current,
        "account_id": account.account_id,
        "item_id": account.item_id,
        "user_id": user_name,
        "institution": institution,
        "mask": account.mask,
        "official_name": account.official_name,
        "type": account.type,
        "subtype": account.subtype,
        "available": account.available,
        "limit": account.limit,
        "currency": account.iso_currency_code or account.unofficial_currency_code,
        "updated_at": account.described_at,
    }


def transaction_json(row: Row[Transaction, str]) -> dict[str, Any]:
    """Return one element of `GET /plaid/transactions`: Plaid's object as received, and ours."""
    transaction, user_name = row
    ours = {
        "lineage_id": transaction.lineage_id,
        "item_id": transaction.item_id,
        "user_id": user_name,
    }
    payload: dict[str, Any] = _decoder.decode(transaction.payload)
    return _ABSENT | payload | ours


def run_json(run: SyncRun) -> dict[str, Any]:
    """Return the body of `GET /plaid/runs/{id}`, which is one element of `GET /plaid/runs`."""
    return {
        "run_id": run.id,
        "item_id": run.item_id,
        "status": run.status,
        "trigger": run.trigger,
        "transactions_synced": run.transactions_synced,
        "added": run.added,
        "modified": run.modified,
        "removed": run.removed,
        "pages": run.pages,
        "requested_at": run.requested_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "duration_seconds": run.duration_seconds,
        "superseded_by": run.superseded_by,
        "error": run_error_json(run),
    }


def run_error_json(run: SyncRun) -> dict[str, Any] | None:
    """Return why the run failed, or None."""
    if run.error_code is None:
        return None
    return {"code": run.error_code, "message": run.error_message, "request_id": run.request_id}


SYNC_STATUS: dict[str, int] = {
    RunStatus.SYNCED: 200,
    RunStatus.UP_TO_DATE: 200,
    RunStatus.NOT_READY: 200,
    RunStatus.QUEUED: 202,
    RunStatus.NEEDS_RELINK: 409,
}
"""The HTTP status of a sync's answer; whatever is not here has failed, which is 502."""


def sync_answer(standing: Standing, **more: Any) -> JsonAnswer:
    """Return the answer of whoever waited for a run; a run that has not ended is `queued`."""
    run = standing.run
    status = run.status if has_ended(run) else RunStatus.QUEUED
    body = {
        "transactions_synced": run.transactions_synced,
        "status": status if status in SYNC_STATUS else RunStatus.FAILED,
        "run_id": run.id,
        "run_url": f"/plaid/runs/{run.id}",
        "next_try_at": standing.begins_at,
        "error": run_error_json(run),
    }
    return JsonAnswer(body | more, SYNC_STATUS.get(status, 502))


def page_cursor(key: dt.date, row_id: object) -> str:
    """Return the page cursor of the rows that follow the one of this key and id."""
    place = f"{key.isoformat()} {row_id}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_page_cursor(
    text: str, read_key: Callable[[str], Key], read_id: Callable[[str], Id]
) -> tuple[Key, Id]:
    """Return the place that a page cursor names. Errors: `InvalidRequestError`.

    The readers raise `ValueError` for what is none of theirs.
    """
    try:
        place = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        key, _, row_id = place.partition(" ")
        return read_key(key), read_id(row_id)
    except ValueError as error:  # binascii's included
        raise InvalidRequestError(
            "That cursor was not made here. Pass next_cursor of the page before, unchanged."
        ) from error


def plaid_id(text: str) -> str:
    """Read an id of Plaid's from a page cursor. Errors: `ValueError`."""
    if not (text and text.isascii() and text.isprintable()):
        raise ValueError("not an id of Plaid's")
    return text

"""The shapes of requests and answers, as /docs shows them; unknown fields are refused."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Form, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from bankloom.services.api_access import EVERYONE

TEXT_MAX = 512


def _storable(text: str) -> str:
    """Refuse what PostgreSQL can't store: NUL characters and lone surrogates."""
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_MAX, strict=True),
    AfterValidator(_storable),
]
FormText = Annotated[str, StringConstraints(max_length=TEXT_MAX), AfterValidator(_storable), Form()]
"""A field of a form: empty where it is left out."""


def _one_person(text: str) -> str:
    if text == EVERYONE:
        raise ValueError("must name one person; * stands for everyone")
    return text


UserId = Annotated[Text, AfterValidator(_one_person)]


def _is_iso_day(value: object) -> object:
    """Refuse numbers: pydantic would take one for seconds since 1970."""
    if isinstance(value, str) and not _ISO_DAY.fullmatch(value):
        raise ValueError("must be a calendar date like 2026-11-23")
    return value


_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Day = Annotated[date, BeforeValidator(_is_iso_day)]
UserFilter = Annotated[Text | None, Query(description="Your id of the person; `*` for everyone.")]
PageLimit = Annotated[int, Query(ge=1, le=500)]
Money = Annotated[Decimal, WithJsonSchema({"type": "number"})]


class Request(BaseModel):
    """A request body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ExchangeRequest(Request):
    """Turn a public token into an Item; call it once for each product, with the same token."""

    public_token: Text
    product: Text
    user_id: UserId | None = Field(None, description="Whose it is, if you know.")
    link_token: Text | None = Field(None, description="The link token it came from, if you know.")
    allow_duplicate: bool = Field(default=False, description="Link these accounts a second time.")


class ExchangeAnswer(BaseModel):
    """The Item. Keep `item_id`; every route takes it in place of the access token."""

    access_token: str | None = Field(description="Null for a key that reaches one user only.")
    item_id: str
    product: str


class SyncRequest(Request):
    """Force a sync of one Item: name it by `item_id` or by `access_token`."""

    item_id: Text | None = None
    access_token: Text | None = None
    wait: bool = Field(default=True, description="Wait up to 25 s for the run to end.")
    allow_removals: bool = Field(
        default=False, description="Agree to a rebuild that removes many transactions."
    )


class RunError(BaseModel):
    """Why a run did not succeed."""

    code: str
    message: str
    request_id: str | None = Field(None, description="Plaid's, for their support.")


class SyncAnswer(BaseModel):
    """What the run did. `transactions_synced` counts distinct transactions added, changed or removed."""

    transactions_synced: int
    status: Literal["synced", "up_to_date", "not_ready", "queued", "needs_relink", "failed"]
    run_id: uuid.UUID
    run_url: str
    next_try_at: datetime | None = Field(
        None, description="When a queued run may begin, where Plaid is not to be asked before."
    )
    error: RunError | None = None


class AccountAnswer(BaseModel):
    """A bank account. `balance` is Plaid's `current`, or `available` where `current` is null."""

    id: uuid.UUID
    name: str
    balance: Money | None
    account_id: str
    item_id: str
    user_id: str
    institution: str | None
    mask: str | None
    official_name: str | None
    type: str
    subtype: str | None
    available: Money | None
    limit: Money | None
    currency: str | None
    updated_at: datetime | None


class TransactionAnswer(BaseModel):
    """A transaction with every field that Plaid sent, its exact digits, and these three of ours.

    Plaid's fields: https://plaid.com/docs/api/products/transactions/#transactionssync
    """

    model_config = ConfigDict(extra="allow")

    transaction_id: str
    lineage_id: str = Field(description="The id under which this movement was first known.")
    account_id: str
    item_id: str
    user_id: str
    amount: Money = Field(description="Positive: money out of the account.")
    date: date
    name: str | None
    pending: bool


class TransactionsAnswer(BaseModel):
    """One page, newest first. `next_cursor` is null on the last one."""

    transactions: list[TransactionAnswer]
    next_cursor: str | None


class ErrorDetails(BaseModel):
    """What went wrong and what to do; Plaid's own codes where Plaid refused."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """Every error has this shape."""

    error: ErrorDetails


ANY_CALL = (400, 401, 403, 408, 413, 414, 421, 422, 429, 431, 500, 503)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of these error statuses and of those that any call may meet."""
    return {status: {"model": ErrorAnswer} for status in (*ANY_CALL, *statuses)}


def sync_answers() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of what a sync may answer: also its failures tell of the run."""
    told: dict[int | str, dict[str, Any]] = {
        202: {"description": "queued: not ended yet, or not waited for"},
        409: {"description": "needs_relink: send the person through Link's update mode"},
        502: {"description": "failed: Plaid refused or could not be reached; see error"},
    }
    return errors(404) | {status: each | {"model": SyncAnswer} for status, each in told.items()}

"""Reads Plaid's refusals: its error body, and on a rate limit when it may be asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from bankloom.core import clock
from bankloom.core.errors import PlaidLimitedError, PlaidRefusedError, PlaidUnreachableError
from bankloom.core.logs import redact
from bankloom.services.plaid_errors import is_passing_limit
from bankloom.services.plaid_messages import PlaidErrorBody

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_AFTER_SECONDS_MAX = 3600
"""More than any limit that is counted by the minute can mean; a broken header must not stop us for days."""


def read(
    status: int, headers: Mapping[str, str] | None, body: bytes | str | None
) -> PlaidRefusedError | PlaidUnreachableError:
    """Read an answer that is an error; what stands between us and Plaid may answer in its place."""
    try:
        told = msgspec.json.decode(body or b"", type=PlaidErrorBody)
    except msgspec.MsgspecError:
        return PlaidUnreachableError(
            f"Something answered HTTP {status} in Plaid's place. It will be asked again."
        )
    fields: dict[str, Any] = {
        "error_type": told.error_type,
        "error_code": told.error_code,
        "plaid_message": redact(
            told.error_message
        ),  # it is stored and shown, may quote what was sent
        "http_status": status,
        "request_id": told.request_id,
        "display_message": told.display_message,
    }
    if is_passing_limit(told.error_type, told.error_code):
        return PlaidLimitedError(free_at=_retry_at((headers or {}).get("Retry-After")), **fields)
    return PlaidRefusedError(**fields)


def _retry_at(retry_after: str | None) -> datetime | None:
    """Read Retry-After, which is seconds or a date (RFC 9110, 10.2.3); None where it is neither.

    Plaid documents no such header; whatever stands between us and Plaid may send it too.
    """
    if retry_after is None:
        return None
    at = clock.now()
    try:
        if retry_after.strip().isdecimal():
            told = at + timedelta(seconds=min(int(retry_after), RETRY_AFTER_SECONDS_MAX))
        else:
            told = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    told = told.replace(tzinfo=told.tzinfo or UTC)
    return max(at, min(told, at + timedelta(seconds=RETRY_AFTER_SECONDS_MAX)))

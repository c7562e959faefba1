"""Reads the body of a webhook: when it comes, and later from its row, where it lies sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from bankloom.core.signatures import UnbelievedError, Verdict

if TYPE_CHECKING:
    from bankloom.models import WebhookDelivery
    from bankloom.services.runtime import Runtime

NAME_CHARS_MAX = 200
"""Plaid's types, codes and ids have at most 50."""

Name = Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX, pattern=r"^[^\x00]*$")]


class Webhook(msgspec.Struct, frozen=True):
    """What we act on in a webhook; all else stays in its body (spec schemas that end in `Webhook`)."""

    webhook_type: Name
    webhook_code: Name
    item_id: Name | None = None
    environment: Name | None = None


def read(body: bytes) -> tuple[str, Webhook]:
    """Return a raw body as text, and what it says. Errors: `UnbelievedError` where it is no webhook."""
    try:
        return body.decode(), msgspec.json.decode(body, type=Webhook)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise UnbelievedError(Verdict.NOT_JSON) from error


def opened(runtime: Runtime, delivery: WebhookDelivery) -> dict[str, Any]:
    """Return the whole body of a stored delivery; it may hold public tokens. Errors: `SealBrokenError`."""
    text = runtime.keyring.open(delivery.body_sealed, delivery.jwt_hash)
    body: dict[str, Any] = msgspec.json.decode(text)
    return body

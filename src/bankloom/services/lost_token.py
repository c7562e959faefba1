"""Tells an access token that was lost in a rotation from one that a rotation is just replacing."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import PlaidRefusedError, PlaidUnreachableError
from bankloom.models import Item
from bankloom.services import item_health
from bankloom.services.plaid_errors import TOKEN_LOST, TOKEN_VOID

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.core.errors import BankloomError
    from bankloom.core.settings import Settings

log = logging.getLogger(__name__)

MARGIN_SECONDS = 90
"""How long the new token may take from Plaid's answer to our commit: it is tried for a minute."""


def is_under_way(item: Item, settings: Settings) -> bool:
    """Say whether somebody may be waiting for Plaid's new token of this Item, or storing it."""
    call_seconds = settings.plaid.connect_timeout_seconds + settings.plaid.read_timeout_seconds
    longest = timedelta(seconds=call_seconds + MARGIN_SECONDS)
    return item.token_asked_at is not None and clock.now() - item.token_asked_at < longest


def meaning_of(
    session: Session, item_id: str, error: BankloomError, settings: Settings
) -> BankloomError:
    """Return what a run's error means, where a rotation of the Item's token was begun and not ended.

    While that may go on, the current token comes in a moment; afterwards it is lost.
    """
    if not isinstance(error, PlaidRefusedError) or error.error_code != TOKEN_VOID:
        return error
    item = session.get_one(Item, item_id)
    if item.token_asked_at is None:
        return error
    if is_under_way(item, settings):
        return PlaidUnreachableError(
            "The Item's access token is being replaced. It is tried again."
        )
    _tell(item_id)
    return PlaidRefusedError(
        error.error_type,
        TOKEN_LOST,
        "its access token was replaced, and the new one was lost",
        http_status=error.http_status,
        request_id=error.request_id,
    )


def note(session: Session, item_id: str) -> None:
    """Note that the Item's access token is void, and that nobody has the new one."""
    session.get_one(Item, item_id).reported_error_code = TOKEN_LOST
    item_health.derive(session, item_id)
    _tell(item_id)


def _tell(item_id: str) -> None:
    log.error(
        "Possible orphan: Plaid changed the access token of Item %s, and the new one was lost before it "
        "could be stored. Have the person link the bank anew, and remove the Item in the Plaid "
        "Dashboard.",
        item_id,
    )

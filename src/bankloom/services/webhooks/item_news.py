"""Takes in what an Item's webhooks told: `/item/get` says how the Item is, these say what it does not.

No webhook of an Item sets its state: late and repeated ones lie. They make a run ask `/item/get`, and
that run notes here the few facts which Plaid tells nowhere else.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from bankloom.core import clock
from bankloom.core.keyring import SealBrokenError
from bankloom.models import Account, WebhookDelivery
from bankloom.services.webhooks import bodies as webhook_bodies

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from bankloom.models import Item
    from bankloom.services.fence import Run

log = logging.getLogger(__name__)

ASKED = "asked /item/get"
ITEM = "ITEM"


class News(NamedTuple):
    """One delivery, and when Plaid sent it."""

    id: uuid.UUID
    code: str
    sent_at: dt.datetime
    body: dict[str, Any]


def waiting(run: Run) -> list[News]:
    """Return what came of the Item and is not handled; read it before `/item/get` is asked.

    What comes later may be newer than that answer, and has asked for another run.
    """
    with run.runtime.database.session() as session:
        deliveries = WebhookDelivery.waiting_of_item(session, run.item.item_id)
    news = [
        News(each.id, each.webhook_code, each.issued_at, _body(run, each))
        for each in deliveries
        if each.webhook_type == ITEM
    ]
    return sorted(news, key=lambda each: each.sent_at)


def _body(run: Run, delivery: WebhookDelivery) -> dict[str, Any]:
    """Return the delivery's body; without its key it says nothing, but keeps no run from its work."""
    try:
        return webhook_bodies.opened(run.runtime, delivery)
    except SealBrokenError as error:
        log.error("Delivery %s can't be read: %s", delivery.id, error.message)  # noqa: TRY400 - told whole
        return {}


def note(session: Session, item: Item, news: Sequence[News]) -> None:
    """Note on the Item what is new since it was last repaired; the caller's commit holds it."""
    for each in news:
        take = _NOTES.get(each.code)
        if take and (item.repaired_at is None or each.sent_at > item.repaired_at):
            take(session, item, each)


def stamp(session: Session, news: Sequence[News], outcome: str) -> None:
    """Stamp the deliveries handled; the last write of a commit, as wherever one is changed."""
    if news:
        WebhookDelivery.mark_handled(session, [each.id for each in news], clock.now(), outcome)


def _note_disconnect(_session: Session, item: Item, news: News) -> None:
    """Note when Plaid cuts the Item off (spec `PendingDisconnectWebhook`); `/item/get` does not say."""
    try:
        told = msgspec.convert(news.body, _PendingDisconnect)
    except msgspec.ValidationError as error:
        log.warning("Item %s: PENDING_DISCONNECT without a date: %s", item.item_id, error)
        return
    item.disconnect_at, item.disconnect_reason = told.disconnect_time, told.reason


def _note_new_accounts(_session: Session, item: Item, news: News) -> None:
    """Note that the person has accounts which they can share (spec `NewAccountsAvailableWebhook`)."""
    item.new_accounts_at = news.sent_at


def _note_revoked_account(session: Session, item: Item, news: News) -> None:
    """Note that an account was taken back (spec `UserAccountRevokedWebhook`).

    It is proven by the same run, which finds it listed or not.
    """
    account_id = news.body.get("account_id")
    if isinstance(account_id, str):
        Account.note_revoked(session, item.item_id, account_id, news.sent_at)


_NOTES: dict[str, Callable[[Session, Item, News], None]] = {
    "PENDING_DISCONNECT": _note_disconnect,
    "NEW_ACCOUNTS_AVAILABLE": _note_new_accounts,
    "USER_ACCOUNT_REVOKED": _note_revoked_account,
}


class _PendingDisconnect(msgspec.Struct):
    reason: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]
    disconnect_time: Annotated[dt.datetime, msgspec.Meta(tz=True)]

"""Notices what nobody told us: an Item repaired elsewhere, an update whose webhook never came."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.models import ItemProduct, ProductState
from bankloom.services import request_run
from bankloom.services.plaid_errors import Remedy, remedy_of_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.services.fence import Run
    from bankloom.services.plaid_messages import ItemInfo

log = logging.getLogger(__name__)

UPDATE_CODES = frozenset(
    {
        "SYNC_UPDATES_AVAILABLE",
        "INITIAL_UPDATE",
        "HISTORICAL_UPDATE",
        "DEFAULT_UPDATE",
        "TRANSACTIONS_REMOVED",
    }
)
"""The webhooks that tell of transactions; any other, sent last, says nothing of a missed one."""


def now(run: Run, session: Session, told: ItemInfo) -> None:
    """Ask for another run where `/item/get` shows that this one's due tags are not all there is to do.

    Works in the caller's commit, which holds the Item.
    """
    if told.item.error is not None:
        return
    others = _not_of_this_run(run, ItemProduct.of_item(session, run.item.item_id))
    if any(_waits_for_login(tag) for tag in others):
        log.info("Item %s was repaired, though nobody told us", run.item.item_id)
        request_run.request(session, run.item.item_id, "repair")
    elif any(_is_behind(tag, told) for tag in others):
        log.info("Item %s has an update of which no webhook told us", run.item.item_id)
        request_run.request(session, run.item.item_id, "gap")


def _not_of_this_run(run: Run, tags: Sequence[ItemProduct]) -> list[ItemProduct]:
    claimed = {tag.product for tag in run.tags}
    return [tag for tag in tags if tag.product not in claimed]


def _waits_for_login(tag: ItemProduct) -> bool:
    return tag.error_code is not None and remedy_of_code(tag.error_code) is Remedy.RELINK


def _is_behind(tag: ItemProduct, told: ItemInfo) -> bool:
    """Say whether Plaid has reached the bank, or sent a webhook, since we last pulled transactions."""
    if tag.product != "transactions" or tag.state != ProductState.READY:
        return False
    sent = told.last_webhook
    told_at = sent.sent_at if sent.code_sent in UPDATE_CODES else None
    news = [at for at in (told.bank_updated_at, told_at) if at is not None]
    return any(tag.last_success_at is None or at > tag.last_success_at for at in news)

"""Asks Plaid how an Item is: its institution, its consent, its error; registers our webhook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import PlaidBusyError, PlaidRefusedError, PlaidUnreachableError
from bankloom.models import Institution, Item
from bankloom.services import item_health, notice_change, schedules
from bankloom.services.plaid_client import DAYS_REQUESTED
from bankloom.services.plaid_errors import Remedy, remedy
from bankloom.services.webhooks import item_news

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.services.fence import Run
    from bankloom.services.plaid_messages import ItemInfo, PlaidItem
    from bankloom.services.webhooks.item_news import News

log = logging.getLogger(__name__)

_NO_ANSWER = (PlaidRefusedError, PlaidUnreachableError, PlaidBusyError)


def now(run: Run) -> bool:
    """Describe the Item once after it was linked; look again when it is due, not well, or has news.

    Returns whether Plaid says that the Item is broken. None of it is worth making the money wait:
    what Plaid does not answer is asked at the next run.
    """
    webhook = run.runtime.settings.webhook_url
    if not run.asks_item and _is_well(run.item) and run.item.webhook_url == webhook:
        return False
    news = item_news.waiting(run)
    told = _ask(run, news)
    if told is None:
        return False
    registered = _register(run, told.item, webhook)
    institution, is_final = _institution(run, told.item)
    with run.hold() as session:
        _put_institution(session, told.item, institution)
        item = session.get_one(Item, run.item.item_id)
        item.webhook_url = registered
        item.described_at = clock.now() if is_final else None
        _note(item, told)
        item_news.note(session, item, news)
        item_health.note_answer(session, item.item_id, told.item)
        item.check_at = schedules.next_check(item.state, run.runtime.settings)
        notice_change.now(run, session, told)
        item_news.stamp(session, news, item_news.ASKED)
    return told.item.error is not None


def _note(item: Item, told: ItemInfo) -> None:
    item.asked_at = clock.now()
    item.institution_id = told.item.institution_id or item.institution_id
    item.consent_expires_at = told.item.consent_expiration_time
    item.bank_updated_at = told.bank_updated_at or item.bank_updated_at
    item.bank_failed_at = told.bank_failed_at or item.bank_failed_at
    if not told.item.has_transactions:
        item.days_requested = DAYS_REQUESTED  # by our first sync, which is what will add it


def _is_well(item: Item) -> bool:
    return item.described_at is not None and item.error_code is None


def _ask(run: Run, news: Sequence[News]) -> ItemInfo | None:
    """Ask `/item/get`; None where there is no answer now.

    Errors: a refusal that lasts; `PlaidBusyError`, for the next question would be one too many, too.
    """
    try:
        return run.runtime.plaid.item_get(run.access_token)
    except PlaidBusyError:
        raise
    except _NO_ANSWER as error:
        if remedy(error) is not Remedy.RETRY:
            with run.hold() as session:  # that is an answer too: the Item is gone, say
                item_news.stamp(session, news, error.message)
            raise
        log.warning("Item %s is not described: %s", run.item.item_id, error.message)
        return None


def _register(run: Run, item: PlaidItem, webhook: str | None) -> str | None:
    """Register our webhook; a URL that Plaid won't take is tried again at each run."""
    if webhook is None or item.webhook == webhook:
        return webhook
    try:
        run.runtime.plaid.item_webhook_update(run.access_token, webhook)
    except _NO_ANSWER as error:
        log.warning("Plaid does not take the webhook URL %s: %s", webhook, error.message)
        return None
    return webhook


def _institution(run: Run, item: PlaidItem) -> tuple[Institution | None, bool]:
    """Describe the institution, if Plaid does; say whether it is of no use to ask again."""
    if item.institution_id is None or run.item.described_at is not None:
        return None, True
    at = clock.now()
    try:
        told, payload = run.runtime.plaid.institutions_get_by_id(item.institution_id)
    except _NO_ANSWER as error:
        log.warning("Institution %s is not described: %s", item.institution_id, error.message)
        return None, remedy(error) is not Remedy.RETRY
    described = Institution(
        institution_id=item.institution_id,
        name=told.name,
        url=told.url,
        primary_color=told.primary_color,
        payload=payload,
        updated_at=at,
    )
    return described, True


def _put_institution(session: Session, item: PlaidItem, described: Institution | None) -> None:
    """Store the institution, or else the name that the Item gives."""
    if described:
        Institution.put(session, described)
    elif item.institution_id:
        name = item.institution_name or item.institution_id
        Institution.note_name(session, item.institution_id, name)

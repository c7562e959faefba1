"""Asks Plaid what an Item is: its institution, its consent, its error; registers our webhook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import PlaidRefusedError
from bankloom.models import Institution, Item

if TYPE_CHECKING:
    from bankloom.services.fence import Run
    from bankloom.services.plaid_messages import PlaidItem

log = logging.getLogger(__name__)


def now(run: Run) -> None:
    """Describe the Item once after it was linked, and again when our webhook URL has changed."""
    webhook = run.runtime.settings.webhook_url
    if run.item.described_at is not None and run.item.webhook_url == webhook:
        return
    told = run.runtime.plaid.item_get(run.access_token)
    registered = _register(run, told, webhook)
    institution = _institution(run, told)
    with run.hold() as session:
        if institution:
            Institution.put(session, institution)
        elif told.institution_id:
            name = told.institution_name or told.institution_id
            Institution.note_name(session, told.institution_id, name)
        item = session.get_one(Item, run.item.item_id)
        item.institution_id = told.institution_id or item.institution_id
        item.consent_expires_at = told.consent_expiration_time
        item.error_code = told.error.error_code if told.error else None
        item.webhook_url = registered
        item.described_at = clock.now()


def _register(run: Run, item: PlaidItem, webhook: str | None) -> str | None:
    """Register our webhook; a URL that Plaid won't take is tried again at each run."""
    if webhook is None or item.webhook == webhook:
        return webhook
    try:
        run.runtime.plaid.item_webhook_update(run.access_token, webhook)
    except PlaidRefusedError as error:
        log.warning("Plaid does not take the webhook URL %s: %s", webhook, error.message)
        return None
    return webhook


def _institution(run: Run, item: PlaidItem) -> Institution | None:
    """Describe the institution; one that Plaid won't describe keeps nobody from their money."""
    if item.institution_id is None:
        return None
    at = clock.now()
    try:
        told, payload = run.runtime.plaid.institutions_get_by_id(item.institution_id)
    except PlaidRefusedError as error:
        log.warning("Institution %s is not described: %s", item.institution_id, error.message)
        return None
    return Institution(
        institution_id=item.institution_id,
        name=told.name,
        url=told.url,
        primary_color=told.primary_color,
        payload=payload,
        updated_at=at,
    )

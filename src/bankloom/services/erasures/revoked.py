"""Erases, if the operator wants it, what people have taken back at their banks, as Plaid recommends.

plaid.com/docs/api/items: after `USER_PERMISSION_REVOKED` and `USER_ACCOUNT_REVOKED` the data is to be
deleted. No webhook is believed: Plaid is asked once more before anything goes.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import PlaidRefusedError
from bankloom.models import Account, Chore, Item
from bankloom.services import request_run, turn
from bankloom.services.erasures import erase_account, erase_item
from bankloom.services.erasures.work import Effort
from bankloom.services.plaid_errors import REVOKED_BY_PERSON
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

CHORE = "erase revoked"
EVERY = timedelta(hours=1)
ERASED_MAX = 20
"""How many of each kind an hour's turn takes up."""

ACTOR = "BANKLOOM_ON_REVOKED"
"""Who asked, as the receipts and the audit log tell: the setting."""

_GONE = {REVOKED_BY_PERSON, "ITEM_NOT_FOUND"}


def now(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Erase what was revoked longer ago than the grace lasts, if that is wanted, once an hour."""
    if runtime.settings.on_revoked != "delete":
        return
    at, acting = clock.now(), runtime.acting_for(ACTOR)
    before = at - timedelta(days=runtime.settings.revoked_grace_days)
    with runtime.database.session() as session:
        if not Chore.claim(session, CHORE, at, EVERY):
            return
        items = Item.revoked_before(session, before, REVOKED_BY_PERSON, ERASED_MAX)
        accounts = Account.revoked_before(session, before, ERASED_MAX)
    effort = Effort(should_stop)
    tasks = [partial(_erase_item, acting, item, effort) for item in items]
    tasks += [partial(_erase_account, acting, account, effort) for account in accounts]
    for task in tasks:
        if should_stop() or not turn.do_or_put_off("Erasing what was revoked", task, _later):
            return


def _later(_why: str) -> None:
    """Leave it: it is looked for again in an hour."""


def _erase_item(runtime: Runtime, item: Item, effort: Effort) -> None:
    if _is_revoked(runtime, item):
        log.info("Item %s: revoked by the person, so it is erased", item.item_id)
        erase_item.now(runtime, item.item_id, effort)
        return
    with runtime.database.session() as session:
        request_run.request(session, item.item_id, "schedule", asks_item=True)


def _is_revoked(runtime: Runtime, item: Item) -> bool:
    """Say whether Plaid still says so. Errors: what the client raises, but for that very word."""
    try:
        told = runtime.plaid.item_get(_token_of(runtime, item)).item
    except PlaidRefusedError as error:
        if error.error_code in _GONE:
            return True
        raise
    return told.error is not None and told.error.error_code == REVOKED_BY_PERSON


def _erase_account(runtime: Runtime, account: Account, effort: Effort) -> None:
    with runtime.database.session() as session:
        item = Item.find(session, account.item_id)
    if item is None:
        return
    listed = {each.account_id for each, _ in runtime.plaid.accounts_get(_token_of(runtime, item))}
    if account.account_id not in listed:
        log.info("Item %s: an account was revoked by the person, so it is erased", item.item_id)
        erase_account.now(runtime, account, effort)


def _token_of(runtime: Runtime, item: Item) -> str:
    refuse_other_world(item.world, runtime.plaid.world)
    return runtime.keyring.open(item.access_token_sealed, item.item_id)

"""Says how an Item is: the only place that writes its `state` and its `error_code`.

The `error_code` stands where a person must act. It follows from two things: Plaid's last word on the
Item itself, which is an answer of `/item/get` or a refusal that a new login mends, and the errors
that its product tags are in. So one product's success does not hide that another waits for a
person. The `state` follows from that code, from the date at which Plaid announced to cut the Item
off, from its tags, and from proof: an Item becomes healthy only by a call for its data that went
well after the trouble began. docs/item_states.md draws it.

Each function works in the caller's commit, which holds the Item's row.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.models import Item, ItemProduct, ItemState, ProductState
from bankloom.services import schedules
from bankloom.services.plaid_errors import (
    FOR_THE_PERSON,
    GONE,
    Remedy,
    remedy_of_code,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.core.settings import Settings
    from bankloom.services.plaid_messages import PlaidItem

log = logging.getLogger(__name__)

EXPIRY_WARNING = timedelta(days=7)
"""As early as Plaid itself warns of an expiring consent (webhook `PENDING_EXPIRATION`)."""

CONSENT_EXPIRES = "CONSENT_EXPIRES"
"""Our reason for an Item whose consent ends soon by what `/item/get` says."""

CONSENT_REQUIRED = "ADDITIONAL_CONSENT_REQUIRED"
"""Plaid's code, for a product whose missing consent we know of before Plaid has said so."""

_TROUBLED = {ProductState.FAILING, ProductState.NEEDS_YOU, ProductState.CONSENT_NEEDED}


class _How(NamedTuple):
    state: ItemState
    reason: str | None = None


def note_answer(session: Session, item_id: str, told: PlaidItem) -> None:
    """Take Plaid's word on the Item from an answer of `/item/get`."""
    item = session.get_one(Item, item_id)
    item.reported_error_code = told.error.error_code if told.error else None
    derive(session, item_id)


def note_proof(session: Session, item_id: str) -> None:
    """Note that a call for the Item's data went well just now."""
    item = session.get_one(Item, item_id)
    item.proven_at = clock.now()
    derive(session, item_id)


def note_failure(session: Session, item_id: str, error_code: str) -> None:
    """Take a refusal that only a new login mends as Plaid's word on the Item; note it on tags first.

    It outlives the tags' own errors, which the next failure replaces, until `/item/get` is asked.
    """
    if remedy_of_code(error_code) is Remedy.RELINK:
        session.get_one(Item, item_id).reported_error_code = error_code
    derive(session, item_id)


def note_refusal(session: Session, item_id: str, error_code: str) -> None:
    """Take a refusal to tell of the Item at all as Plaid's word on it, until `/item/get` answers."""
    session.get_one(Item, item_id).reported_error_code = error_code
    derive(session, item_id)


@contextmanager
def checked_as_its_state_asks(session: Session, item_id: str, settings: Settings) -> Iterator[None]:
    """Let an Item whose state changes in the block be looked at as often as the new state asks for."""
    item = session.get_one(Item, item_id)
    before = item.state
    yield
    if item.state != before:
        item.check_at = schedules.next_check(item.state, settings)


def derive(session: Session, item_id: str) -> None:
    """Set the Item's `error_code` and `state` from all that is known: the gravest stands."""
    item = session.get_one(Item, item_id)
    tags = ItemProduct.of_item(session, item_id)
    item.error_code = _error_code(item, tags)
    how, at = _how(item, tags, clock.now()), clock.now()
    if how.state != item.state and not _waits_for_proof(item, how):
        log.info("Item %s: %s, was %s", item_id, _in_words(how), item.state)
        item.state, item.state_since = how.state, at
    if how.state == item.state:
        item.state_reason = how.reason


def _error_code(item: Item, tags: Sequence[ItemProduct]) -> str | None:
    codes = [tag.error_code for tag in tags if tag.error_code and _is_for_a_person(tag.error_code)]
    if item.reported_error_code:
        codes.insert(0, item.reported_error_code)
    return min(codes, key=_gravest_first, default=None)


def _how(item: Item, tags: Sequence[ItemProduct], at: datetime) -> _How:
    code = item.error_code
    if item.removed_at is not None:
        return _How(ItemState.REMOVED)
    if code in GONE:
        return _How(ItemState.REVOKED, code)
    if code and remedy_of_code(code) is Remedy.RELINK:
        return _How(ItemState.NEEDS_RELINK, code)
    if _cut_off_at(item, at):
        return _How(ItemState.DISCONNECTING, item.disconnect_reason or CONSENT_EXPIRES)
    if code or (code := _trouble(tags)):
        return _How(ItemState.DEGRADED, code)
    return _How(ItemState.HEALTHY if item.proven_at else ItemState.NEW)


def _cut_off_at(item: Item, at: datetime) -> datetime | None:
    """Return when the Item will be cut off, if that is known, near, and not disproved since."""
    dates = [item.disconnect_at]
    if item.consent_expires_at and item.consent_expires_at - at < EXPIRY_WARNING:
        dates.append(item.consent_expires_at)
    proven_at = item.proven_at or item.created_at
    return min((date for date in dates if date and date > proven_at), default=None)


def _trouble(tags: Sequence[ItemProduct]) -> str | None:
    """Return what is wrong with the products: a failure before a consent that nobody has asked for."""
    troubled = [tag for tag in tags if tag.state in _TROUBLED]
    codes = [tag.error_code for tag in troubled if tag.error_code]
    return next(iter(codes), CONSENT_REQUIRED if troubled else None)


def _waits_for_proof(item: Item, how: _How) -> bool:
    """Say whether nothing is known to be wrong any more, but nothing has gone well since either."""
    if how.state not in {ItemState.HEALTHY, ItemState.NEW}:
        return False
    return item.proven_at is None or item.proven_at <= item.state_since


def _in_words(how: _How) -> str:
    return f"{how.state} ({how.reason})" if how.reason else how.state


def _is_for_a_person(error_code: str) -> bool:
    return remedy_of_code(error_code) in FOR_THE_PERSON


def _gravest_first(error_code: str) -> int:
    """Put what no update mode repairs before a broken login, and that before a missing consent."""
    if error_code in GONE:
        return 0
    return 2 if remedy_of_code(error_code) is Remedy.CONSENT_NEEDED else 1

"""One view of the work: what is done now, what waits, what failed and needs a person."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exists, or_, select

from bankloom.models import (
    ClaimState,
    ExchangeClaim,
    Item,
    ItemProduct,
    ProductState,
    RunStatus,
    SyncRun,
    User,
    WebhookDelivery,
)
from bankloom.services import advice, show_item
from bankloom.services.plaid_errors import CODES_FOR_THE_PERSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from bankloom.services.show_item import ItemView

ENTRIES_MAX = 200
"""How many of each kind are told of: more than a person reads at once."""


class Standing(enum.StrEnum):
    """How a piece of work stands, the most urgent first."""

    NEEDS_YOU = "needs you"
    RUNNING = "running"
    QUEUED = "queued"
    WAITING = "waiting"


class Entry(NamedTuple):
    """A piece of work. `at`: since when it stands so, or where it waits, when it is tried next."""

    standing: Standing
    what: str
    id: str
    item_id: str | None
    user_name: str | None
    at: datetime | None
    detail: str = ""


def needs_you(session: Session) -> Iterator[Entry]:
    """Give what no waiting mends: Items, product tags, exchanges to decide on."""
    items = show_item.views_of(
        session, Item.for_a_person(session, CODES_FOR_THE_PERSON, ENTRIES_MAX)
    )
    yield from map(_item_entry, items)
    told = {(view.item.item_id, view.item.error_code) for view in items}
    yield from (tag for tag, code in _stuck_tags(session) if (tag.item_id, code) not in told)
    yield from _decisions(session)


def under_way(session: Session) -> Iterator[Entry]:
    """Give what is done now or is to be done: runs, tags, webhook deliveries, open exchanges."""
    yield from _open_runs(session)
    yield from _waiting_tags(session)
    yield from _deliveries(session)
    yield from _open_claims(session)


def _item_entry(view: ItemView) -> Entry:
    item, reason = view.item, view.reason
    return Entry(
        Standing.NEEDS_YOU,
        f"Item: {(reason and reason.code) or item.state}",
        item.item_id,
        item.item_id,
        view.user_name,
        item.state_since,
        reason.message if reason else "",
    )


def _stuck_tags(session: Session) -> Iterator[tuple[Entry, str | None]]:
    """Give the tags that failed and have no next try, or wait for consent, with their codes.

    That a bank does not have a product is nobody's to mend.
    """
    stuck = or_(
        ItemProduct.state == ProductState.CONSENT_NEEDED,
        ItemProduct.error_code.is_not(None) & (ItemProduct.state != ProductState.NOT_SUPPORTED),
    )
    query = (
        select(ItemProduct, User.name)
        .join(Item, Item.item_id == ItemProduct.item_id)
        .join(User, User.id == Item.user_id)
        .where(Item.removed_at.is_(None), ItemProduct.next_try_at.is_(None), stuck)
        .order_by(ItemProduct.last_try_at, ItemProduct.item_id, ItemProduct.product)
    )
    for tag, user_name in session.execute(query.limit(ENTRIES_MAX)):
        code = tag.error_code or "ADDITIONAL_CONSENT_REQUIRED"
        what = f"{tag.product}: {tag.error_code or tag.state}"
        detail = advice.about_error(code, is_tried_again=False)
        at = tag.last_try_at or tag.created_at
        entry = Entry(Standing.NEEDS_YOU, what, tag.item_id, tag.item_id, user_name, at, detail)
        yield entry, tag.error_code


def _decisions(session: Session) -> Iterator[Entry]:
    """Give the exchanges that only a person can settle."""
    for claim, user_name in _claims(session, ClaimState.HELD, ClaimState.POSSIBLE_ORPHAN):
        yield Entry(
            Standing.NEEDS_YOU,
            f"exchange: {claim.state}",
            claim.public_token_hash[:12],
            claim.duplicate_of,
            user_name,
            claim.created_at,
            advice.about_claim(claim.state),
        )


def _open_claims(session: Session) -> Iterator[Entry]:
    for claim, user_name in _claims(session, ClaimState.CLAIMED):
        yield Entry(
            Standing.WAITING,
            "exchange",
            claim.public_token_hash[:12],
            claim.item_id,
            user_name,
            claim.lease_until,
            f"Try {claim.attempts}; it is taken up again after its lease.",
        )


def _claims(session: Session, *states: ClaimState) -> Sequence[Row[ExchangeClaim, str]]:
    query = select(ExchangeClaim, User.name).join(User).where(ExchangeClaim.state.in_(states))
    return session.execute(query.order_by(ExchangeClaim.created_at).limit(ENTRIES_MAX)).all()


def _open_runs(session: Session) -> Iterator[Entry]:
    query = (
        select(SyncRun, User.name)
        .join(Item, Item.item_id == SyncRun.item_id)
        .join(User, User.id == Item.user_id)
        .where(SyncRun.finished_at.is_(None))
        .order_by(SyncRun.started_at, SyncRun.requested_at)
    )
    for run, user_name in session.execute(query.limit(ENTRIES_MAX)):
        running = run.status == RunStatus.RUNNING
        yield Entry(
            Standing.RUNNING if running else Standing.QUEUED,
            f"run ({run.trigger})",
            str(run.id),
            run.item_id,
            user_name,
            run.started_at if running else run.requested_at,
        )


def _waiting_tags(session: Session) -> Iterator[Entry]:
    """Give the tags that are due some time and that no run is at, the soonest first."""
    at_work = exists().where(SyncRun.item_id == ItemProduct.item_id, SyncRun.finished_at.is_(None))
    query = (
        select(ItemProduct, User.name)
        .join(Item, Item.item_id == ItemProduct.item_id)
        .join(User, User.id == Item.user_id)
        .where(Item.removed_at.is_(None), ItemProduct.next_try_at.is_not(None), ~at_work)
        .order_by(ItemProduct.next_try_at)
    )
    for tag, user_name in session.execute(query.limit(ENTRIES_MAX)):
        failing = f"{tag.error_code} (failures: {tag.failures})" if tag.error_code else ""
        yield Entry(
            Standing.WAITING,
            tag.product,
            tag.item_id,
            tag.item_id,
            user_name,
            tag.next_try_at,
            failing,
        )


def _deliveries(session: Session) -> Iterator[Entry]:
    """Give the webhook deliveries that were stored and not handled yet, the oldest first."""
    row = WebhookDelivery
    query = select(row).where(row.handled_at.is_(None)).order_by(row.received_at)
    for delivery in session.scalars(query.limit(ENTRIES_MAX)):
        yield Entry(
            Standing.WAITING,
            f"webhook {delivery.webhook_type}/{delivery.webhook_code}",
            str(delivery.id),
            delivery.item_id,
            None,
            delivery.next_try_at,
            delivery.outcome or "",
        )

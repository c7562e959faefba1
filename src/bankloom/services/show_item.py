"""Tells how an Item is: its state and why, each product's freshness, its history, its last error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bankloom.models import Institution, Item, ItemProduct, ItemState, RunStatus
from bankloom.models.item import STATES_FOR_A_PERSON
from bankloom.models.item_facts import ItemFacts, facts_of
from bankloom.services import advice
from bankloom.services.plaid_errors import CODES_FOR_THE_PERSON
from bankloom.services.sync_item import TRANSACTIONS

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from bankloom.models import SyncRun


class Reason(NamedTuple):
    """Why an Item is in its state: a code, if there is one, and a sentence that says what to do."""

    code: str | None
    message: str


class LastError(NamedTuple):
    """What went wrong last and has not gone well since; `product` None: the run as a whole."""

    code: str
    message: str
    request_id: str | None
    product: str | None
    at: datetime | None


class Freshness(NamedTuple):
    """How old a product's data is: when the bank gave it, Plaid last tried, and we last pulled."""

    bank_updated_at: datetime | None
    plaid_tried_at: datetime | None
    pulled_at: datetime | None


@dataclass(frozen=True)
class ItemView:
    """An Item with all that is told of it."""

    item: Item
    user_name: str
    institution: str | None
    tags: Sequence[ItemProduct]
    facts: ItemFacts

    @property
    def needs_person(self) -> bool:
        """Whether nothing but a person brings it back, or keeps it."""
        for_person = self.item.error_code in CODES_FOR_THE_PERSON
        return for_person or self.item.state in STATES_FOR_A_PERSON

    @property
    def reason(self) -> Reason | None:
        """Why the Item is in its state; None where all is well."""
        item = self.item
        code = item.error_code or item.state_reason
        if item.state == ItemState.DISCONNECTING:
            return Reason(code, advice.about_state(item.state))
        if code is not None:
            return Reason(code, advice.about_error(code, is_tried_again=self._is_tried_again(code)))
        if item.state == ItemState.HEALTHY:
            return None
        return Reason(None, advice.about_state(item.state))

    def _is_tried_again(self, code: str) -> bool:
        return any(tag.next_try_at for tag in self.tags if tag.error_code in {code, None})

    @property
    def next_try_at(self) -> datetime | None:
        """When the Item, or a product of it, is due next: not before it has cooled."""
        times = (self.item.check_at, *(tag.next_try_at for tag in self.tags))
        first = min((at for at in times if at), default=None)
        if first is None or self.item.cooling_until is None:
            return first
        return max(first, self.item.cooling_until)

    @property
    def last_error(self) -> LastError | None:
        """The newest error that was not made good since: a product's, else that of the last run."""
        in_error = [tag for tag in self.tags if tag.error_code]
        tag = max(in_error, key=lambda tag: tag.last_try_at or tag.created_at, default=None)
        if tag is not None:
            return _last_error(tag, tag.product, tag.last_try_at)
        run = self.facts.last_run
        if run is None or run.error_code is None or run.status == RunStatus.CANCELLED:
            return None
        return _last_error(run, None, run.finished_at)

    def freshness(self, tag: ItemProduct) -> Freshness:
        """Return how fresh a product is; what Plaid tells of the bank is of transactions only."""
        if tag.product != TRANSACTIONS:
            return Freshness(None, None, tag.last_success_at)
        tried = [at for at in (self.item.bank_updated_at, self.item.bank_failed_at) if at]
        return Freshness(self.item.bank_updated_at, max(tried, default=None), tag.last_success_at)


def _last_error(
    failed: ItemProduct | SyncRun, product: str | None, at: datetime | None
) -> LastError:
    code, message = failed.error_code or "", failed.error_message or ""
    return LastError(code, message, failed.request_id, product, at)


def views(
    session: Session,
    user_id: uuid.UUID | None,
    *,
    item_id: str | None = None,
    states: Sequence[str] = (),
) -> list[ItemView]:
    """Return the Items of one user or of all, those linked first on top."""
    return views_of(session, Item.listing(session, user_id, item_id=item_id, states=states))


def views_of(session: Session, rows: Sequence[Row[Item, str]]) -> list[ItemView]:
    """Return all that is told of these (Item, user name) rows, in a fixed number of statements."""
    item_ids = [item.item_id for item, _ in rows]
    tags = ItemProduct.of_items(session, item_ids)
    names = Institution.names(session, {item.institution_id for item, _ in rows})
    facts = facts_of(session, item_ids)
    return [
        ItemView(
            item,
            user_name,
            names.get(item.institution_id),
            tags.get(item.item_id, []),
            facts[item.item_id],
        )
        for item, user_name in rows
    ]

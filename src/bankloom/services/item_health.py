"""Says how an Item is: the only place that writes its `error_code`.

The code stands where a person must act. It follows from two things: Plaid's last word on the Item
itself, which is an answer of `/item/get` or a refusal that a new login mends, and the errors that
its product tags are in. So one product's success does not hide that another waits for a person.

Each function works in the caller's commit, which holds the Item's row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.models import Item, ItemProduct
from bankloom.services.plaid_errors import (
    FOR_THE_PERSON,
    GONE,
    Remedy,
    remedy_of_code,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.services.plaid_messages import PlaidItem


def note_answer(session: Session, item_id: str, told: PlaidItem) -> None:
    """Take Plaid's word on the Item from an answer of `/item/get`."""
    item = session.get_one(Item, item_id)
    item.reported_error_code = told.error.error_code if told.error else None
    derive(session, item_id)


def note_failure(session: Session, item_id: str, error_code: str) -> None:
    """Take a refusal that only a new login mends as Plaid's word on the Item; note it on tags first.

    It outlives the tags' own errors, which the next failure replaces, until `/item/get` is asked.
    """
    if remedy_of_code(error_code) is Remedy.RELINK:
        session.get_one(Item, item_id).reported_error_code = error_code
    derive(session, item_id)


def derive(session: Session, item_id: str) -> None:
    """Set the Item's `error_code` from all that is known: the gravest stands."""
    item = session.get_one(Item, item_id)
    codes = [code for code in ItemProduct.error_codes(session, item_id) if _is_for_the_person(code)]
    if item.reported_error_code:
        codes.insert(0, item.reported_error_code)
    item.error_code = min(codes, key=_gravest_first, default=None)


def _is_for_the_person(error_code: str) -> bool:
    return remedy_of_code(error_code) in FOR_THE_PERSON


def _gravest_first(error_code: str) -> int:
    """Put what no update mode repairs before a broken login, and that before a missing consent."""
    if error_code in GONE:
        return 0
    return 2 if remedy_of_code(error_code) is Remedy.CONSENT_NEEDED else 1

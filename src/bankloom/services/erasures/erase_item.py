"""Erases an Item: removed at Plaid first, then its data is deleted, or kept without its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import IntegrityError

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import Erasure, Item, ItemProduct, Subject, erased_rows
from bankloom.services.erasures import removal
from bankloom.services.erasures.work import (
    PASSES_MAX,
    Effort,
    LeftError,
    Work,
    claim_values,
    item_hash,
)

if TYPE_CHECKING:
    import uuid

    from bankloom.services.runtime import Runtime


class Wish(NamedTuple):
    """What is asked for an Item: to keep its data; within the reach of one user; as part of a person's."""

    keeps_data: bool = False
    reach: uuid.UUID | None = None
    part_of: uuid.UUID | None = None


def now(runtime: Runtime, item_id: str, effort: Effort, wish: Wish = Wish()) -> Erasure:  # noqa: B008 - it is a constant
    """Erase the Item as far as the effort goes; return how far that is: its receipt, where finished.

    Safe to repeat: an erasure that was cut off is gone on with, one that another call is at is told
    of, and so is one that is finished. Errors: `NotFoundError`, and those of `removal.now`, with all
    kept.
    """
    if runtime.user_id is not None:
        _require_seen(runtime, item_id)
        runtime = runtime.as_service()
    claimed, standing = _claim(runtime, item_id, wish)
    return carry_on(Work(runtime, claimed, effort)) if claimed else standing


def _require_seen(runtime: Runtime, item_id: str) -> None:
    """Refuse what the confined user can't see: an Item, or what became of it. Errors: `NotFoundError`."""
    with runtime.database.session() as session:
        erased = Erasure.newest_of(session, item_hash(runtime, item_id))
        if erased is None and Item.find_kept(session, item_id) is None:
            raise NotFoundError("There is no Item of that id here.")


def _claim(runtime: Runtime, item_id: str, wish: Wish) -> tuple[Erasure | None, Erasure]:
    """Return the erasure to work on, if there is any work for us, and the one that stands."""
    at, subject_hash = clock.now(), item_hash(runtime, item_id)
    with runtime.database.session() as session:
        item = Item.find_kept(session, item_id)
        standing = Erasure.newest_of(session, subject_hash)
        owner = item.user_id if item else standing and standing.user_id
        if (item is None and standing is None) or wish.reach not in {None, owner}:
            raise NotFoundError("There is no Item of that id here.")
        is_done = standing is not None and standing.finished_at is not None
        if standing and is_done and (item is None or (wish.keeps_data and item.removed_at)):
            return None, standing
        claimed = Erasure.claim(
            session,
            at,
            subject=Subject.ITEM,
            subject_hash=subject_hash,
            item_id=item_id,
            user_id=owner,
            keeps_data=wish.keeps_data,
            part_of=wish.part_of,
            **claim_values(runtime, at),
        )
        standing = claimed or Erasure.newest_of(session, subject_hash)
    if standing is None:  # whoever was at it has withdrawn it in this moment
        raise NotFoundError("The Item was being erased, and that was given up. Try again.")
    return claimed, standing


def carry_on(work: Work) -> Erasure:
    """Go on with an erasure that is claimed, as far as the effort goes. Errors: of `removal.now`."""
    try:
        if work.erasure.removed_at is None:
            removal.now(work)
        _erase(work)
    except LeftError:
        work.leave()
    return work.standing()


def _erase(work: Work) -> None:
    item_id = work.erasure.item_id or ""
    whose = {"item_id": item_id, "user_id": work.erasure.user_id}
    for _ in range(PASSES_MAX):
        work.delete((*erased_rows.REMAINS, *erased_rows.MENTIONS), **whose)
        if work.erasure.keeps_data:
            _finish_kept(work)
            return
        work.delete(erased_rows.ITEM_HISTORY, **whose)
        rows = (*erased_rows.REMAINS, *erased_rows.ITEM_HISTORY)
        if not work.any_left(rows, **whose) and _delete_item(work, item_id):
            return
    raise LeftError


def _finish_kept(work: Work) -> None:
    with work.runtime.database.session() as session:
        work.erasure.finish(session, clock.now())


def _delete_item(work: Work, item_id: str) -> bool:
    """Delete the Item's own row and finish; False where something came to refer to it meanwhile."""
    try:
        with work.runtime.database.session() as session:
            Item.lock_kept(session, item_id)
            ItemProduct.lock(session, item_id)
            work.count(session, "items", erased_rows.delete_item(session, item_id))
            work.erasure.finish(session, clock.now())
    except IntegrityError:
        return False
    return True

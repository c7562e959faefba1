"""Erases a whole person: every Item at Plaid first, then what is theirs here, under one receipt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from bankloom.core import clock
from bankloom.core.errors import BankloomError, ExchangeInProgressError, NotFoundError
from bankloom.models import Erasure, ExchangeClaim, Item, Subject, User, erased_rows
from bankloom.services import audit, retry_policy, settle_run
from bankloom.services.erasures import erase_item
from bankloom.services.erasures.work import (
    FIRST_WAIT,
    LONGEST_WAIT,
    PASSES_MAX,
    Effort,
    LeftError,
    Work,
    claim_values,
    user_hash,
)

if TYPE_CHECKING:
    import uuid

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)


def now(runtime: Runtime, name: str, effort: Effort) -> Erasure:
    """Erase the person as far as the effort and Plaid go; return how far that is.

    Where Plaid does not remove one of their Items, the others are erased all the same, and this one
    is tried again, by a turn or by the next call. Errors: `NotFoundError`.
    """
    at, subject_hash = clock.now(), user_hash(runtime, name)
    with runtime.database.session() as session:
        user = User.find(session, name)
        if user is not None:
            claimed = Erasure.claim(
                session,
                at,
                subject=Subject.USER,
                subject_hash=subject_hash,
                user_id=user.id,
                **claim_values(runtime, at),
            )
        else:
            claimed = None
        standing = claimed or Erasure.newest_of(session, subject_hash)
    if standing is None:
        raise NotFoundError("There is no user of that id here.")
    return carry_on(Work(runtime, claimed, effort)) if claimed else standing


def carry_on(work: Work) -> Erasure:
    """Go on with an erasure that is claimed, as far as the effort and Plaid go."""
    try:
        if work.erasure.user_id is not None:
            _erase(work, work.erasure.user_id)
    except LeftError:
        work.leave()
    return work.standing()


def _erase(work: Work, user_id: uuid.UUID) -> None:
    for _ in range(PASSES_MAX):
        if (error := _erase_items(work, user_id) or _open_exchange(work, user_id)) is not None:
            wait = retry_policy.doubled(FIRST_WAIT, work.erasure.attempts - 1, LONGEST_WAIT)
            work.put_off(wait, **settle_run.reason_of(error))
            return
        work.delete(erased_rows.OF_USER, user_id=user_id)
        if _delete_user(work, user_id):
            return
    raise LeftError


def _erase_items(work: Work, user_id: uuid.UUID) -> BankloomError | None:
    """Erase every Item; return what kept the last one that could not be. Errors: `LeftError`."""
    with work.runtime.database.session() as session:
        item_ids = Item.ids_of_user(session, user_id)
    wish = erase_item.Wish(part_of=work.erasure.id)
    failed: BankloomError | None = None
    for item_id in item_ids:
        work.hold_on()
        try:
            part = erase_item.now(work.runtime, item_id, _holding_on(work), wish)
        except BankloomError as error:
            log.warning("Item %s of a person to erase stays: %s", item_id, error.message)
            failed = error
        else:
            if part.finished_at is None:
                raise LeftError
    return failed


def _holding_on(work: Work) -> Effort:
    """Return our effort, which holds on to the person's erasure while an Item's rows go."""

    def tell(table: str, rows: int) -> None:
        work.hold_on()
        work.effort.tell(table, rows)

    return Effort(work.effort.should_stop, tell)


def _open_exchange(work: Work, user_id: uuid.UUID) -> BankloomError | None:
    """Return that Plaid may be about to give us another Item of theirs, if so."""
    with work.runtime.database.session() as session:
        is_open = ExchangeClaim.any_open_of(session, user_id)
    return ExchangeInProgressError(_EXCHANGE) if is_open else None


_EXCHANGE = "A bank of this person is just being linked. Once that has ended, it is erased too."


def _delete_user(work: Work, user_id: uuid.UUID) -> bool:
    """Delete the user's own row and finish; False where something came to refer to it meanwhile."""
    try:
        with work.runtime.database.session() as session:
            work.count(session, "users", User.delete(session, user_id))
            audit.note(
                work.runtime,
                session,
                audit.Action.USER_ERASED,
                user_id=user_id,
                receipt_id=work.erasure.id,
            )
            Erasure.forget_user(session, user_id)
            work.erasure.finish(session, clock.now())
    except IntegrityError:
        return False
    return True

"""Erases one account's data, after the person took that account back at their bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import Erasure, Item, Subject, erased_rows
from bankloom.services import audit
from bankloom.services.erasures.work import (
    PASSES_MAX,
    Effort,
    LeftError,
    Work,
    account_hash,
    claim_values,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.models import Account
    from bankloom.services.runtime import Runtime


def now(runtime: Runtime, account: Account, effort: Effort) -> None:
    """Erase the account as far as the effort goes; a turn goes on with the rest."""
    at = clock.now()
    with runtime.database.session() as session:
        item = Item.find(session, account.item_id)
        claimed = item and Erasure.claim(
            session,
            at,
            subject=Subject.ACCOUNT,
            subject_hash=account_hash(runtime, account.account_id),
            item_id=account.item_id,
            account_id=account.account_id,
            user_id=item.user_id,
            **claim_values(runtime, at),
        )
    if claimed:
        carry_on(Work(runtime, claimed, effort))


def carry_on(work: Work) -> Erasure:
    """Go on with an erasure that is claimed, as far as the effort goes."""
    try:
        _erase(work)
    except LeftError:
        work.leave()
    return work.standing()


def _erase(work: Work) -> None:
    erasure = work.erasure
    whose = {"item_id": erasure.item_id or "", "account_id": erasure.account_id or ""}
    for _ in range(PASSES_MAX):
        work.delete(erased_rows.ACCOUNT_HISTORY, **whose)
        with work.runtime.database.session() as session:
            Item.lock_kept(session, whose["item_id"])  # no run writes any more of it meanwhile
            if not any(each.any_left(session, whose) for each in erased_rows.ACCOUNT_HISTORY):
                rows = erased_rows.delete_account(session, whose["account_id"])
                work.count(session, "accounts", rows)
                erasure.finish(session, clock.now())
                _note(work, session)
                return
    raise LeftError


def _note(work: Work, session: Session) -> None:
    erasure, erased = work.erasure, audit.Action.ACCOUNT_ERASED
    whose = {"item_id": erasure.item_id, "user_id": erasure.user_id}
    audit.note(work.runtime, session, erased, **whose, receipt_id=erasure.id)  # type: ignore[arg-type]  # two ids

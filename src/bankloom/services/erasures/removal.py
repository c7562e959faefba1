"""Removes an Item at Plaid, which ends its billing, and commits here that it is removed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import (
    BankloomError,
    ItemRemovedError,
    PlaidRefusedError,
    PlaidUnreachableError,
)
from bankloom.models import Erasure, Item, ItemProduct, RunStatus, SyncRun
from bankloom.services import audit, item_health, jobs, lost_token, retry_policy, settle_run
from bankloom.services.erasures.work import FIRST_WAIT, LONGEST_WAIT
from bankloom.services.plaid_errors import ALREADY_GONE, TOKEN_LOST, TOKEN_VOID, may_have_been_done
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.services.erasures.work import Work
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

REMOVED_BEFORE = "REMOVED_BEFORE"
"""In place of a code of Plaid's: it was removed by an earlier erasure, which kept the data."""

TOKENS_TRIED_MAX = 3
"""Each but the first was put in place of the one before while that was tried."""


class _Removed(NamedTuple):
    removal_request_id: str | None
    already_gone: str | None = None


def now(work: Work) -> None:
    """Remove the erasure's Item at Plaid, unless that is done; then nothing of it is synced any more.

    Errors: what the client raises, `WorldMismatchError`, `SealBrokenError`. Then all is kept. Where
    nothing was done the erasure is withdrawn; else it is tried again, and the error names the receipt.
    """
    item = _item_of(work)
    if item is None or item.removed_at is not None:
        at = clock.now() if item is None else item.removed_at
        with work.runtime.database.session() as session:
            if item is not None:
                _note(work, session, item)
            work.erasure.note_removed(session, at or clock.now(), already_gone=REMOVED_BEFORE)
        return
    try:
        removed = _ask(work, item)
    except BankloomError as error:
        _failed(work, error)
        raise
    _commit(work, item.item_id, removed)
    log.info("Item %s: removed at Plaid (%s)", item.item_id, removed.already_gone or "done")


def _item_of(work: Work) -> Item | None:
    with work.runtime.database.session() as session:
        return Item.find_kept(session, work.erasure.item_id or "")


def _ask(work: Work, item: Item) -> _Removed:
    """Ask Plaid; a token that was replaced meanwhile says nothing about the Item, the new one does."""
    refuse_other_world(item.world, work.runtime.plaid.world)
    for _ in range(TOKENS_TRIED_MAX):
        try:
            return _Removed(work.runtime.plaid.item_remove(_token_of(work.runtime, item)))
        except PlaidRefusedError as error:
            if error.error_code not in ALREADY_GONE:
                raise
            refused, current = error, _item_of(work)
        if current is None or current.token_generation == item.token_generation:
            return _Removed(refused.request_id, _meaning(work.runtime, current, refused))
        item = current
    raise refused


def _meaning(runtime: Runtime, item: Item | None, refused: PlaidRefusedError) -> str:
    """Return why it counts as gone. Errors: `PlaidUnreachableError` while its token is being replaced."""
    if item is None or refused.error_code != TOKEN_VOID or item.removed_at is not None:
        return refused.error_code
    if lost_token.is_under_way(item, runtime.settings):
        raise PlaidUnreachableError(_BEING_REPLACED) from refused
    was_lost = item.token_asked_at is not None or item.reported_error_code == TOKEN_LOST
    return TOKEN_LOST if was_lost else refused.error_code


_BEING_REPLACED = "The Item's access token is being replaced. All is kept; it is tried again."


def _token_of(runtime: Runtime, item: Item) -> str:
    return runtime.keyring.open(item.access_token_sealed, item.item_id)


def _failed(work: Work, error: BankloomError) -> None:
    """Withdraw what came to nothing; what may have been done, or a person waits for, is tried again."""
    erasure = work.erasure
    is_undone = erasure.attempts == 1 and not may_have_been_done(error)
    if is_undone and erasure.part_of is None:
        with work.runtime.database.session() as session:
            erasure.withdraw(session)
        return
    wait = retry_policy.doubled(FIRST_WAIT, erasure.attempts - 1, LONGEST_WAIT)
    work.put_off(wait, **settle_run.reason_of(error))
    error.details["receipt_id"] = str(erasure.id)


def _commit(work: Work, item_id: str, removed: _Removed) -> None:
    """Destroy the token, end the Item's runs and take back its job, in one commit.

    In the order of a run's beginning: the Item, its tags, its runs. A run that is at work discards
    what it has at its next commit, which finds the Item removed.
    """
    at = clock.now()
    with work.runtime.database.session() as session:
        item = Item.lock(session, item_id)
        if item is not None:
            ItemProduct.lock(session, item_id)
            item.removed_at, item.run_id, item.check_at = at, None, None
            # The type says that a token is there: it is, wherever an Item is not removed.
            item.access_token_sealed = item.access_token_hash = None  # type: ignore[assignment]
            ItemProduct.rest(session, item_id)
            item_health.derive(session, item_id)
            reason = settle_run.reason_of(ItemRemovedError())
            for run in SyncRun.open_of(session, item_id):
                SyncRun.end(session, run.id, RunStatus.CANCELLED, **reason)
            jobs.forget(session, item_id)
            _note(work, session, item)
        Erasure.note_removed(work.erasure, session, at, **removed._asdict())


def _note(work: Work, session: Session, item: Item) -> None:
    """Note who removes it, and what becomes of its data: also of what an earlier removal kept."""
    audit.note(
        work.runtime,
        session,
        audit.Action.ITEM_REMOVED,
        item_id=item.item_id,
        user_id=item.user_id,
        receipt_id=work.erasure.id,
        keeps_data=work.erasure.keeps_data,
    )

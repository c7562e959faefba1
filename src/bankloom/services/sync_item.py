"""Runs an Item: brings every product of it that is due up to date, under one fence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.errors import BankloomError, DatabaseLostError, PlaidRefusedError
from bankloom.models import Item, ItemProduct, ProductState, RunStatus, SyncRun
from bankloom.services import (
    describe_item,
    fence,
    jobs,
    retry_policy,
    sync_accounts,
    sync_transactions,
)
from bankloom.services.plaid_errors import Remedy, remedy

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.models.transaction_staging import Applied
    from bankloom.services.fence import Run
    from bankloom.services.runtime import Runtime
    from bankloom.services.sync_transactions import Update

log = logging.getLogger(__name__)

TRANSACTIONS = "transactions"
"""The product whose data a run pulls; for the others it keeps the Item's accounts up to date."""

PERSON = "person"


REFUSED_WAIT = timedelta(hours=1)
"""How long an Item rests that this process may not touch; an operator has to mend the settings."""


def request(
    session: Session, item_id: str, trigger: str, *, allow_removals: bool = False
) -> uuid.UUID:
    """Ask, in this session's commit, for a run of the Item that begins after it; return the run.

    Only a person's request tries a product without consent again: that may add it to the Item.
    """
    at = clock.now()
    ItemProduct.make_due(session, item_id, at, even_without_consent=trigger == PERSON)
    run_id = SyncRun.queue(session, item_id, trigger, at, allow_removals=allow_removals)
    jobs.later(session, item_id)
    return run_id


@dataclass(frozen=True)
class Outcome:
    """How one product's try ended, as far as the run's row tells of it."""

    status: RunStatus
    values: dict[str, Any]


def now(runtime: Runtime, item_id: str, should_stop: Callable[[], bool]) -> datetime | None:
    """Run the Item; return when it is due next, if it is.

    Failures end in the tags and in the run's row, not in an exception: the engine never retries.
    """
    try:
        run = fence.begin(runtime, item_id, should_stop)
    except BankloomError as error:
        _refuse(runtime, item_id, error)
        return None
    if run is None:
        return None
    try:
        _run(run)
    except (fence.SupersededError, fence.StoppedError):
        _hand_over(run)
    return _next_due(runtime, item_id)


def _run(run: Run) -> None:
    """Read the accounts, then each due product; one product failing leaves the others running."""
    known_accounts: set[str] = set()

    def read_item() -> None:
        describe_item.now(run)
        known_accounts.update(sync_accounts.now(run))

    failed = _try(run, run.tags, read_item)
    outcomes = [failed] if failed else [_run_product(run, tag, known_accounts) for tag in run.tags]
    _end(run, outcomes)


def _run_product(run: Run, tag: ItemProduct, known_accounts: set[str]) -> Outcome:
    outcome: list[Outcome] = []

    def sync_and_settle() -> None:
        if tag.product == TRANSACTIONS:
            update, applied = sync_transactions.now(run, tag, known_accounts)
            outcome.append(_settle_transactions(run, tag, update, applied))
        else:
            outcome.append(_settle_accounts_only(run, tag))

    return _try(run, [tag], sync_and_settle) or outcome[0]


def _try(run: Run, tags: list[ItemProduct], work: Callable[[], None]) -> Outcome | None:
    """Do the work; whatever goes wrong is settled on the tags and told as an outcome."""
    try:
        work()
    except (fence.SupersededError, fence.StoppedError):
        raise
    except BankloomError as error:
        return _settle_failure(run, tags, error)
    except SQLAlchemyError as error:
        log.warning("Item %s: %s", run.item.item_id, error)
        return _settle_failure(run, tags, DatabaseLostError())
    except Exception:
        log.exception("Item %s: unexpected error", run.item.item_id)
        return _settle_failure(run, tags, BankloomError())
    return None


_WORST_FIRST = (
    RunStatus.NEEDS_RELINK,
    RunStatus.FAILED,
    RunStatus.NOT_READY,
    RunStatus.SYNCED,
    RunStatus.UP_TO_DATE,
)


def _end(run: Run, outcomes: list[Outcome]) -> None:
    """Write the run's end: the status that most needs a person's eye, and what was changed."""
    nothing_due = Outcome(RunStatus.UP_TO_DATE, {})
    worst = min(
        outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.status), default=nothing_due
    )
    with run.hold() as session:
        SyncRun.end(session, run.id, worst.status, **worst.values)


def _settle_transactions(run: Run, tag: ItemProduct, update: Update, applied: Applied) -> Outcome:
    not_ready = update.status == sync_transactions.NOT_READY
    complete = update.status == sync_transactions.COMPLETE
    if complete:
        wait = retry_policy.after_success(run.runtime.settings.sync_interval_seconds)
    else:
        wait = retry_policy.until_complete(tag.tries_until_complete)
    _settle(
        run,
        tag,
        wait,
        state=ProductState.SYNCING if not_ready else ProductState.READY,
        tries_until_complete=0 if complete else tag.tries_until_complete + 1,
    )
    pulled = {"pages": len(update.page_rows), "rows_pulled": sum(update.page_rows)}
    return Outcome(_success_status(applied, not_ready=not_ready), pulled | applied._asdict())


def _settle_accounts_only(run: Run, tag: ItemProduct) -> Outcome:
    """Settle a product of which only the Item's accounts and balances are kept so far."""
    if tag.state == ProductState.CONSENT_NEEDED:
        _settle(run, tag, None, state=tag.state)
    else:
        wait = retry_policy.after_success(run.runtime.settings.sync_interval_seconds)
        _settle(run, tag, wait, state=ProductState.REQUESTED)
    return Outcome(RunStatus.UP_TO_DATE, {})


def _settle(run: Run, tag: ItemProduct, wait: timedelta | None, **values: Any) -> None:
    """Write a success on the tag, and when it is due next unless a trigger has made it due."""
    at = clock.now()
    with run.hold() as session:
        ItemProduct.note(
            session,
            tag,
            last_success_at=at,
            failures=0,
            error_code=None,
            error_message=None,
            request_id=None,
            **values,
        )
        due = at + wait if wait else None
        ItemProduct.move_lease(session, tag, run.leases[tag.product], due)
        session.get_one(Item, tag.item_id).error_code = None


def _success_status(applied: Applied, *, not_ready: bool) -> RunStatus:
    if not_ready:
        return RunStatus.NOT_READY
    return RunStatus.SYNCED if any(applied) else RunStatus.UP_TO_DATE


_STATES = {
    Remedy.CONSENT_NEEDED: ProductState.CONSENT_NEEDED,
    Remedy.NOT_SUPPORTED: ProductState.NOT_SUPPORTED,
}


def _settle_failure(run: Run, tags: list[ItemProduct], error: BankloomError) -> Outcome:
    """Write on the tags what went wrong and when to try again."""
    what = remedy(error)
    reason = _reason(error)
    log.warning("Item %s: %s (%s)", run.item.item_id, error.message, what.value)
    with run.hold() as session:
        for tag in tags:
            wait = retry_policy.after_failure(what, tag.failures)
            state = _STATES.get(what, ProductState.FAILING)
            ItemProduct.note(session, tag, state=state, failures=tag.failures + 1, **reason)
            due = clock.now() + wait if wait else None
            ItemProduct.move_lease(session, tag, run.leases[tag.product], due)
        if what is Remedy.RELINK:
            session.get_one(Item, run.item.item_id).error_code = reason["error_code"]
    in_link = what in {Remedy.RELINK, Remedy.CONSENT_NEEDED}
    return Outcome(RunStatus.NEEDS_RELINK if in_link else RunStatus.FAILED, reason)


def _reason(error: BankloomError) -> dict[str, Any]:
    code, request_id = error.code, None
    if isinstance(error, PlaidRefusedError):
        code, request_id = error.error_code, error.request_id
    return {"error_code": code, "error_message": error.message, "request_id": request_id}


def _refuse(runtime: Runtime, item_id: str, error: BankloomError) -> None:
    """End the run that somebody waits for, where none could begin."""
    log.error("Item %s was not synced: %s", item_id, error.message)
    at = clock.now()
    with runtime.database.session() as session:
        # In the order of `request`: tags before runs, or the two could wait for each other.
        ItemProduct.make_due(session, item_id, at + REFUSED_WAIT)
        run_id = SyncRun.queue(session, item_id, "schedule", at)
        SyncRun.end(session, run_id, RunStatus.FAILED, **_reason(error))


def _hand_over(run: Run) -> None:
    """Discard the run's work. Unless another run has the Item already, ask for one."""
    log.info("Item %s: run %s is handed over", run.item.item_id, run.id)
    with run.runtime.database.session() as session:
        item = Item.lock(session, run.item.item_id)
        successor = None
        if item is not None and item.run_id == run.id:
            successor = request(session, item.item_id, "takeover")
        SyncRun.end(session, run.id, RunStatus.SUPERSEDED, superseded_by=successor)


def _next_due(runtime: Runtime, item_id: str) -> datetime | None:
    with runtime.database.session() as session:
        due = [tag.next_try_at for tag in ItemProduct.of_item(session, item_id) if tag.next_try_at]
    return min(due, default=None)

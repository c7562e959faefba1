"""Settles a run: writes on its tags, and on the run's own row, how each product's try ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bankloom.core import clock
from bankloom.core.errors import BankloomError, PlaidBusyError, PlaidRefusedError
from bankloom.models import Item, ItemProduct, ProductState, RunStatus, SyncRun
from bankloom.services import item_health, lost_token, request_run, retry_policy, schedules
from bankloom.services.plaid_errors import FOR_THE_PERSON, Remedy, remedy
from bankloom.services.sync_transactions import NOT_READY

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.models.transaction_merge import Applied
    from bankloom.services.fence import Run
    from bankloom.services.sync_transactions import Update

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one product's try ended, as far as the run's row tells of it."""

    status: RunStatus
    values: dict[str, Any]


Outcomes = dict[str, Outcome]
"""How the products of a run have ended so far, by product."""


def transactions_applied(
    run: Run, session: Session, tag: ItemProduct, update: Update, applied: Applied
) -> Outcomes:
    """Settle the transactions in the very commit that applies them; return the run's outcomes."""
    not_ready, complete = update.status == NOT_READY, update.is_complete
    if complete:
        due = schedules.next_sync(tag.product, run.runtime.settings)
    else:
        due = clock.now() + retry_policy.until_complete(tag.tries_until_complete)
    tries = tag.tries_until_complete + (run.trigger != request_run.PERSON)
    _succeed(
        run,
        session,
        tag,
        due,
        state=ProductState.SYNCING if not_ready else ProductState.READY,
        tries_until_complete=0 if complete else tries,
    )
    pulled = {"pages": len(update.page_rows), "rows_pulled": sum(update.page_rows)}
    status = _success_status(applied, not_ready=not_ready)
    return _tell(run, session, [tag], Outcome(status, pulled | applied._asdict()))


def accounts_only(run: Run, session: Session, tag: ItemProduct) -> Outcomes:
    """Settle a product of which only accounts and balances are kept; return the run's outcomes."""
    consented = tag.state != ProductState.CONSENT_NEEDED
    due = schedules.next_sync(tag.product, run.runtime.settings) if consented else None
    state = ProductState.REQUESTED if consented else ProductState.CONSENT_NEEDED
    _succeed(run, session, tag, due, state=state)
    return _tell(run, session, [tag], Outcome(RunStatus.UP_TO_DATE, {}))


def nothing_due(run: Run) -> None:
    """End a run that somebody asked for, of an Item that has no product to bring up to date."""
    with run.hold() as session:
        _tell(run, session, [], Outcome(RunStatus.UP_TO_DATE, {}))


def failed(run: Run, tags: list[ItemProduct], error: BankloomError) -> None:
    """Write on the tags what went wrong and when to try again."""
    settings = run.runtime.settings
    with run.hold() as session:
        error = lost_token.meaning_of(session, run.item.item_id, error, settings)
        what, reason = remedy(error), reason_of(error)
        log.warning("Item %s: %s (%s)", run.item.item_id, error.message, what.value)
        ItemProduct.lock(session, run.item.item_id)
        for tag in tags:
            state, due = _after_failure(tag, what)
            if ItemProduct.note_failure(session, tag, state=state, **reason):
                _move_lease(run, session, tag, due)
        with item_health.checked_as_its_state_asks(session, run.item.item_id, settings):
            item_health.note_failure(session, run.item.item_id, reason["error_code"])
            if not tags and what is Remedy.PERMANENT:
                item_health.note_refusal(session, run.item.item_id, reason["error_code"])
        status = RunStatus.NEEDS_RELINK if what in FOR_THE_PERSON else RunStatus.FAILED
        outcomes = _tell(run, session, tags, Outcome(status, reason))
    run.outcomes = outcomes


def _after_failure(tag: ItemProduct, what: Remedy) -> tuple[ProductState, datetime | None]:
    """Return the state of a tag that failed, and when it is due.

    What lacks consent goes on lacking it, whatever kept a person's try from finding that out.
    """
    lacks_consent = tag.state == ProductState.CONSENT_NEEDED and what is not Remedy.NOT_SUPPORTED
    wait = None if lacks_consent else retry_policy.after_failure(what, tag.failures)
    state = (
        ProductState.CONSENT_NEEDED if lacks_consent else _STATES.get(what, ProductState.FAILING)
    )
    return state, clock.now() + wait if wait else None


def cooled(run: Run, busy: PlaidBusyError) -> None:
    """Leave the Item alone until Plaid may be asked about it again; then another run goes on.

    That is a delay and no failure: the tags keep their states, and whoever waits for this run
    gets that one's end. Where neither Plaid nor the budget says until when, we guess.
    """
    with run.hold() as session:
        item = session.get_one(Item, run.item.item_id)
        until = busy.free_at or clock.now() + retry_policy.while_cooling(item.coolings)
        item.cooling_until, item.coolings = until, item.coolings + 1
        ItemProduct.lock(session, item.item_id)
        item.put_off_check(until)
        ItemProduct.put_off(session, item.item_id, until)
        for tag in run.tags:
            if tag.product not in run.outcomes:
                _move_lease(run, session, tag, until)
        wishes = {"allow_removals": run.allow_removals, "asks_item": run.asks_item}
        successor = SyncRun.queue(session, item.item_id, run.trigger, clock.now(), **wishes)
        values = {"superseded_by": successor, **reason_of(busy)}
        SyncRun.end(session, run.id, RunStatus.SUPERSEDED, **values)
    log.warning("Item %s: nothing is asked before %s: %s", item.item_id, until, busy.message)


_STATES = {
    Remedy.CONSENT_NEEDED: ProductState.CONSENT_NEEDED,
    Remedy.NOT_SUPPORTED: ProductState.NOT_SUPPORTED,
    Remedy.PERMANENT: ProductState.NEEDS_YOU,
}
_WORST_FIRST = (
    RunStatus.NEEDS_RELINK,
    RunStatus.FAILED,
    RunStatus.NOT_READY,
    RunStatus.SYNCED,
    RunStatus.UP_TO_DATE,
)


def reason_of(error: BankloomError) -> dict[str, Any]:
    """Return the columns that say why something failed: Plaid's own codes where it refused."""
    code, request_id = error.code, None
    if isinstance(error, PlaidRefusedError):
        code, request_id = error.error_code, error.request_id
    return {"error_code": code, "error_message": error.message, "request_id": request_id}


def _succeed(
    run: Run, session: Session, tag: ItemProduct, due: datetime | None, **values: Any
) -> None:
    nothing_wrong = {"failures": 0, "error_code": None, "error_message": None, "request_id": None}
    ItemProduct.note(session, tag, last_success_at=clock.now(), **nothing_wrong, **values)
    _move_lease(run, session, tag, due)
    item = session.get_one(Item, tag.item_id)
    item.coolings = 0
    with item_health.checked_as_its_state_asks(session, tag.item_id, run.runtime.settings):
        item_health.derive(session, tag.item_id)


def _move_lease(run: Run, session: Session, tag: ItemProduct, due: datetime | None) -> None:
    """Say when the tag is due next, unless a trigger has made it due meanwhile."""
    ItemProduct.move_lease(session, tag, run.leases[tag.product], due)


def _success_status(applied: Applied, *, not_ready: bool) -> RunStatus:
    if not_ready:
        return RunStatus.NOT_READY
    return RunStatus.SYNCED if any(applied) else RunStatus.UP_TO_DATE


def _tell(run: Run, session: Session, tags: list[ItemProduct], outcome: Outcome) -> Outcomes:
    """Return the run's outcomes with this one; with the last product's, in this commit, it ends.

    The run keeps them only once the commit is through: what was rolled back has not ended.
    """
    outcomes = run.outcomes | {tag.product: outcome for tag in tags}
    if len(outcomes) >= len(run.tags):
        _end(run, session, list(outcomes.values()) or [outcome])
    return outcomes


def _end(run: Run, session: Session, outcomes: list[Outcome]) -> None:
    item = session.get_one(Item, run.item.item_id)
    if run.check_lease and item.check_at == run.check_lease:  # it was not looked at after all
        item.check_at = schedules.next_look()
    worst = min(outcomes, key=lambda one: _WORST_FIRST.index(one.status))
    values: dict[str, Any] = {}
    for one in (*outcomes, worst):
        values |= one.values
    SyncRun.end(session, run.id, worst.status, **values)

"""Runs an Item: brings every product of it that is due up to date, under one fence."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock, logs
from bankloom.core.errors import BankloomError, DatabaseLostError, PlaidBusyError
from bankloom.models import Item, ItemProduct, RunStatus, SyncRun
from bankloom.services import (
    counted,
    describe_item,
    fence,
    request_run,
    settle_run,
    sync_accounts,
    sync_transactions,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bankloom.services.fence import Run
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

TRANSACTIONS = "transactions"
"""The product whose data a run pulls; for the others it keeps the Item's accounts up to date."""

REFUSED_WAIT = timedelta(hours=1)
"""How long an Item rests that this process may not touch; an operator has to mend the settings."""


def now(runtime: Runtime, item_id: str, should_stop: Callable[[], bool]) -> datetime | None:
    """Run the Item; return when it is due next, if it is.

    Failures end in the tags and in the run's row, not in an exception: the engine never retries.
    Errors: the database's own, where it is not there to write an end; the leases run out then, and
    the next tick wakes the Item.
    """
    try:
        run = fence.begin(runtime, item_id, should_stop)
    except BankloomError as error:
        _refuse(runtime, item_id, error)
        return None
    if run is None:
        return None
    with logs.bound(run_id=run.id, item_id=item_id):
        try:
            _run(run)
        except (fence.SupersededError, fence.StoppedError):
            _hand_over(run)
        except PlaidBusyError as busy:
            _cool(run, busy)
        return _ended(run)


def _run(run: Run) -> None:
    """Look at the Item, then bring up each due product; one failing leaves the others running."""
    known_accounts: set[str] = set()
    if not _try(run, run.tags, partial(_read_item, run, known_accounts)):
        return
    for tag in run.tags:
        _try(run, [tag], partial(_bring_up_to_date, run, tag, known_accounts))
    if not run.tags:
        settle_run.nothing_due(run)


def _read_item(run: Run, known_accounts: set[str]) -> None:
    """Ask how the Item is, and for its accounts, unless Plaid says that it has none to give now."""
    is_broken = describe_item.now(run)
    if run.tags or not is_broken:
        known_accounts |= sync_accounts.now(run)


def _bring_up_to_date(run: Run, tag: ItemProduct, known_accounts: set[str]) -> None:
    """Pull what is new of a product; its rows, its cursor and its end are one commit."""
    if tag.product != TRANSACTIONS:
        with run.hold() as session:
            outcomes = settle_run.accounts_only(run, session, tag)
        run.outcomes = outcomes
        return
    update = sync_transactions.pull(run, tag, known_accounts)
    with run.hold() as session:
        applied = sync_transactions.apply(run, session, tag, update)
        outcomes = settle_run.transactions_applied(run, session, tag, update, applied)
    run.outcomes = outcomes


def _try(run: Run, tags: list[ItemProduct], work: Callable[[], None]) -> bool:
    """Do the work; whatever goes wrong is settled on the tags. Say whether it went well."""
    try:
        work()
    except (fence.SupersededError, fence.StoppedError, PlaidBusyError):
        raise
    except BankloomError as error:
        settle_run.failed(run, tags, error)
    except (SQLAlchemyError, psycopg.Error) as error:
        log.warning("Item %s: the database failed: %s", run.item.item_id, type(error).__name__)
        settle_run.failed(run, tags, DatabaseLostError())
    except Exception:
        log.exception("Item %s: unexpected error", run.item.item_id)
        settle_run.failed(run, tags, BankloomError())
    else:
        return True
    return False


def _refuse(runtime: Runtime, item_id: str, error: BankloomError) -> None:
    """End the run that somebody waits for, where none could begin."""
    log.error("Item %s was not synced: %s", item_id, error.message)
    at = clock.now()
    with runtime.database.session() as session:
        # In the order of a run's beginning, or the two could wait for each other.
        item = Item.lock(session, item_id)
        if item is None:
            return
        item.put_off_check(at + REFUSED_WAIT)
        ItemProduct.make_due(session, item_id, at + REFUSED_WAIT)
        ItemProduct.put_off(session, item_id, at + REFUSED_WAIT)  # what a person wants tried, too
        run_id = SyncRun.queue(session, item_id, "schedule", at)
        SyncRun.end(session, run_id, RunStatus.FAILED, **settle_run.reason_of(error))


def _cool(run: Run, busy: PlaidBusyError) -> None:
    try:
        settle_run.cooled(run, busy)
    except fence.SupersededError:
        _hand_over(run)


def _hand_over(run: Run) -> None:
    """Discard the run's work. Unless another run has the Item already, ask for one."""
    log.info("Item %s: run %s is handed over", run.item.item_id, run.id)
    with run.runtime.database.session() as session:
        item = Item.lock(session, run.item.item_id)
        successor = None
        if item is not None and item.run_id == run.id:
            wishes = {"allow_removals": run.allow_removals, "asks_item": run.asks_item}
            successor = request_run.request(session, item.item_id, "takeover", **wishes)
        SyncRun.end(session, run.id, RunStatus.SUPERSEDED, superseded_by=successor)


def _ended(run: Run) -> datetime | None:
    """Count the run; return when its Item is due next."""
    with run.runtime.database.session() as session:
        row = session.get(SyncRun, run.id)
        tags = ItemProduct.of_item(session, run.item.item_id)
    if row is not None:
        counted.run_ended(run.runtime.counts, row)
    return min((tag.next_try_at for tag in tags if tag.next_try_at), default=None)

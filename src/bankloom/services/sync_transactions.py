"""Brings an Item's transactions up to date: every page of the update staged, then applied at once."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bankloom.core import clock
from bankloom.core.errors import (
    PlaidRefusedError,
    PlaidUnreachableError,
    RebuildTooLargeError,
    StagingIncompleteError,
)
from bankloom.models import Account, ItemProduct
from bankloom.models import transaction_staging as staging
from bankloom.models.transaction_merge import Applied, apply_staged
from bankloom.models.transaction_rebuild import missing_since_rebuild, tombstone_missing
from bankloom.services.plaid_client import decode_account, decode_transaction
from bankloom.services.plaid_errors import Remedy, remedy_of_pull
from bankloom.services.sync_accounts import account_values, unknown_account_values

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from msgspec import Raw
    from sqlalchemy.orm import Session

    from bankloom.services.fence import Run
    from bankloom.services.plaid_messages import SyncPage

log = logging.getLogger(__name__)

LOOP_RESTARTS_MAX = 10
COMPLETE = "HISTORICAL_UPDATE_COMPLETE"
NOT_READY = "NOT_READY"


@dataclass
class Update:
    """One pulled update, staged and not applied yet. `cursor` is where the next page begins."""

    rebuild: bool
    cursor: str = ""
    status: str = NOT_READY
    page_rows: list[int] = field(default_factory=list)
    stub_accounts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether Plaid gave all the history, and a cursor to go on from."""
        return self.status == COMPLETE and self.cursor != ""


def pull(run: Run, tag: ItemProduct, known_accounts: set[str]) -> Update:
    """Stage every page since the tag's cursor; nobody sees any of it yet.

    The loop starts again on a mutation, and once from nothing on a cursor that Plaid does not take.
    Errors: what the client raises, `SupersededError`, `StoppedError`.
    """
    rebuild = _holds_rows_without_cursor(tag)
    for _ in range(LOOP_RESTARTS_MAX):
        update = Update(rebuild)
        try:
            return _pull_once(run, tag, update, known_accounts)
        except PlaidRefusedError as error:
            what = remedy_of_pull(error, update.cursor)
            if what is Remedy.REBUILD and not rebuild:
                rebuild = True
                log.warning("Item %s: rebuilding, for Plaid says %s", tag.item_id, error.message)
            elif what is not Remedy.RESTART_LOOP:
                raise
            with run.hold() as session:
                staging.empty(session, run.id)
    raise _never_still()


def _holds_rows_without_cursor(tag: ItemProduct) -> bool:
    """Say whether rows may have come with an empty cursor: the next pull is all there is, again."""
    return not tag.cursor and tag.update_status not in {None, NOT_READY}


def _never_still() -> PlaidRefusedError:
    """Return the error of a loop that was restarted as often as it may be."""
    return PlaidRefusedError(
        "TRANSACTIONS_ERROR",
        "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
        f"the data changed during each of {LOOP_RESTARTS_MAX} attempts to read it",
        http_status=400,
    )


def _pull_once(run: Run, tag: ItemProduct, update: Update, known_accounts: set[str]) -> Update:
    update.cursor = "" if update.rebuild else tag.cursor
    for page in _pages(run, update.cursor):
        _stage(run, tag, update, page, known_accounts)
        update.cursor = page.next_cursor
        update.status = page.transactions_update_status
    return update


def _pages(run: Run, cursor: str) -> Iterator[SyncPage]:
    """Give every page since the cursor. The next one is on its way while this one is staged.

    That waiting, for Plaid here and for the database there, is half the time of a first sync.
    """
    pull = run.runtime.plaid.transactions_sync
    as_this_run = copy_context().run  # so that what is logged over there has the run's id
    with ThreadPoolExecutor(1, "next-page") as ahead:
        has_more = True
        coming = ahead.submit(as_this_run, pull, run.access_token, cursor)
        while has_more:
            run.stop_if_asked()
            page = coming.result()
            if has_more := page.has_more:
                _refuse_standing_still(cursor, page.next_cursor)
                cursor = page.next_cursor
                coming = ahead.submit(
                    as_this_run, pull, run.access_token, cursor, run.stop_if_asked
                )
            yield page


def _refuse_standing_still(cursor: str, next_cursor: str) -> None:
    """Refuse a cursor that leads nowhere: the loop would never end."""
    if next_cursor in {"", cursor}:
        raise PlaidUnreachableError(
            "Plaid says that there is more, but its cursor does not move on. It will be asked again."
        )


def _stage(
    run: Run, tag: ItemProduct, update: Update, page: SyncPage, known_accounts: set[str]
) -> None:
    """Write one page to staging; no row of it is seen by anyone yet. Most polls bring an empty one."""
    rows = list(_rows(run.id, len(update.page_rows), page))
    named = {row[staging.ACCOUNT_ID_AT] for row in rows if row[staging.OP_AT] != staging.REMOVED}
    unknown = named - known_accounts
    if unknown:
        update.stub_accounts |= _stubs(unknown, page.accounts)
    if rows or page.has_more:
        with run.hold() as session:
            staging.stage(session, rows)
            run.renew(session, tag)
    update.page_rows.append(len(rows))


def _rows(run_id: uuid.UUID, page_number: int, page: SyncPage) -> Iterator[tuple[Any, ...]]:
    """Give the page's rows in the order of the staging table's columns."""
    number = 0
    for op, raws in ((staging.ADDED, page.added), (staging.MODIFIED, page.modified)):
        for raw in raws:
            yield (run_id, page_number, number, op, *_facts(raw))
            number += 1
    for removed in page.removed:
        ids = (removed.transaction_id, removed.account_id or "")
        yield (run_id, page_number, number, staging.REMOVED, *ids, *staging.NO_FACTS)
        number += 1


def _facts(raw: Raw) -> tuple[Any, ...]:
    row = decode_transaction(raw)
    category = row.personal_finance_category
    return (
        row.transaction_id,
        row.account_id,
        row.pending_transaction_id,
        row.amount,
        row.iso_currency_code,
        row.unofficial_currency_code,
        row.date,
        row.authorized_date,
        row.name,
        row.merchant_name,
        row.pending,
        row.payment_channel,
        category.primary if category else None,
        category.detailed if category else None,
        bytes(raw),
    )


def _stubs(unknown: set[str], described: list[Raw]) -> dict[str, dict[str, Any]]:
    """Describe unknown accounts from the page itself where it does, else by their id alone."""
    stubs = {account_id: unknown_account_values(account_id) for account_id in unknown}
    for raw in described:
        account = decode_account(raw)
        if account.account_id in unknown:
            stubs[account.account_id] = account_values(account, bytes(raw))
    return stubs


def apply(run: Run, session: Session, tag: ItemProduct, update: Update) -> Applied:
    """Merge the staged pages and move the cursor, in this session's commit.

    Errors: `StagingIncompleteError`, `RebuildTooLargeError`.
    """
    brings_rows = any(update.page_rows)
    if brings_rows and not staging.is_whole(session, run.id, update.page_rows):
        raise StagingIncompleteError
    at = clock.now()
    # This run has asked for the accounts, and these were not among them.
    Account.put_stubs(session, tag.item_id, list(update.stub_accounts.values()), closed_at=at)
    missing = _tombstone_missing(run, session, tag, update) if update.rebuild else 0
    applied = apply_staged(session, run.id, at) if brings_rows else Applied(0, 0, 0)
    if not ItemProduct.move_cursor(session, tag, _next_cursor(tag, update), update.status):
        raise StagingIncompleteError
    return applied._replace(removed=applied.removed + missing)


def _next_cursor(tag: ItemProduct, update: Update) -> str:
    """Return the cursor to keep: the tag's own where the update gave none that lasts.

    Plaid's empty cursor is for an Item without data yet. Stored over another it would begin again
    from nothing, where what was removed meanwhile is never told of. The changes that came with it
    come again with the cursor that stays, and are merged as if they were new.
    """
    unfinished_rebuild = update.rebuild and not update.is_complete
    if unfinished_rebuild or not update.cursor:
        return tag.cursor
    return update.cursor


def _tombstone_missing(run: Run, session: Session, tag: ItemProduct, update: Update) -> int:
    """Tombstone what a complete rebuild did not return, if it is few enough or a person agreed."""
    if not update.is_complete:
        return 0
    missing, living = missing_since_rebuild(session, run.id, tag.item_id)
    share_max = run.runtime.settings.rebuild_removal_share_max
    if missing > share_max * living and not run.allow_removals:
        raise RebuildTooLargeError(
            f"Plaid's full history lacks {missing} of the {living} transactions stored for this "
            f"Item, more than the share of {share_max} that may go unasked. Look at them, then "
            "repeat the sync with allow_removals=true. Nothing was changed."
        )
    return tombstone_missing(session, run.id, tag.item_id, clock.now())

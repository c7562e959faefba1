"""Pages of /transactions/sync, cut from an Item's change log.

A loop walks from the client's `base` to the log's end as it was when the loop began. A script
stands in the log for the changes in (start, end] and is delivered page by page as written.
"""

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from platypus_bank import cursors
from platypus_bank.cursors import Cursor
from platypus_bank.errors import SyncMutation
from platypus_bank.ledger import Reach, Row
from platypus_bank.records import Account, Item, Script
from platypus_bank.world import World


class Page(Struct, kw_only=True):
    """One page; `accounts` None means those of its transactions."""

    added: list[Any] = field(default_factory=list)
    modified: list[Any] = field(default_factory=list)
    removed: list[Any] = field(default_factory=list)
    account_ids: set[str] = field(default_factory=set)
    accounts: list[Any] | None = None
    status: str | None = None
    next: Cursor
    has_more: bool = False


class Request(Struct, frozen=True, kw_only=True):
    """What one call asks for."""

    cursor: Cursor
    count: int
    with_original: bool = False


def next_page(world: World, item: Item, request: Request) -> Page:
    """Return the page after the request's cursor.

    Raises SyncMutation when the Item changed since the loop's first page.
    """
    cursor = _begun(world, item, request.cursor)
    script = _script_after(world, item, cursor)
    until = cursor.snapshot if script is None else script.start
    reach = Reach(cursor.base, cursor.position, until, cursor.account_id)
    rows = world.ledger.changes(item, reach, request.count + 1)
    if len(rows) > request.count:
        rows = rows[: request.count]
        return _ledger_page(cursor, rows, request, replace(cursor, position=rows[-1].seq))
    if script is None:
        return _ledger_page(cursor, rows, request, None)
    at_script = replace(cursor, position=script.start)
    if rows:
        return _ledger_page(cursor, rows, request, at_script)
    return _script_page(at_script, script, request)


def _begun(world: World, item: Item, cursor: Cursor) -> Cursor:
    if not cursor.is_between_loops:
        if cursor.snapshot != item.last_seq:
            raise SyncMutation
        return cursor
    for script in world.store.of(Script, item.id):
        if script.end <= cursor.base:
            world.store.delete(script)
    return replace(cursor, snapshot=item.last_seq)


def _script_after(world: World, item: Item, cursor: Cursor) -> Script | None:
    if cursor.account_id:
        return None
    ahead = [each for each in world.store.of(Script, item.id) if each.start >= cursor.position]
    return min(ahead, key=lambda script: script.start, default=None)


def _final(cursor: Cursor) -> Cursor:
    end = cursor.snapshot
    return replace(cursor, base=end, position=end, page=0)


def _ledger_page(
    cursor: Cursor, rows: list[Row], request: Request, following: Cursor | None
) -> Page:
    page = Page(next=following or _final(cursor), has_more=following is not None)
    for row in rows:
        page.account_ids.add(row.account_id)
        if row.removed:
            page.removed.append(
                {"transaction_id": row.transaction_id, "account_id": row.account_id}
            )
        else:
            is_new = row.added_seq > cursor.base
            body = row.json(with_original=request.with_original)
            (page.added if is_new else page.modified).append(body)
    return page


def _script_page(cursor: Cursor, script: Script, request: Request) -> Page:
    written = script.pages[cursor.page]
    if cursor.page + 1 < len(script.pages):
        following, more = replace(cursor, page=cursor.page + 1), True
    else:
        following = replace(cursor, position=script.end, page=0)
        more = script.end < cursor.snapshot
    return Page(
        added=[_sent(each, request) for each in written["added"]],
        modified=[_sent(each, request) for each in written["modified"]],
        removed=written["removed"],
        account_ids={each["account_id"] for each in (*written["added"], *written["modified"])},
        accounts=written.get("accounts"),
        status=script.status,
        next=following if more else _final(cursor),
        has_more=more,
    )


def _sent(transaction: dict[str, Any], request: Request) -> dict[str, Any]:
    hidden = () if request.with_original else ("original_description",)
    return {key: value for key, value in transaction.items() if key not in hidden}


def accounts_of(world: World, item: Item, page: Page) -> list[Any]:
    """Return the accounts a page names: only those with transactions in it."""
    if page.accounts is not None:
        return page.accounts
    known = world.store.of(Account, item.id)
    return [each.body for each in known if each.open and each.id in page.account_ids]


def read_cursor(world: World, item: Item, text: str, account_id: str) -> Cursor:
    """Return the place a client names: "" is the beginning, "now" the end, else a cursor."""
    if not text:
        return cursors.start(item, account_id)
    if text == "now":
        return cursors.start(item, account_id, item.last_seq)
    return cursors.read(text, item, account_id, world.charter.seed)

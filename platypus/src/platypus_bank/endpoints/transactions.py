"""/transactions/*: sync, get and refresh (https://plaid.com/docs/api/products/transactions/)."""

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank import cursors, history, pages
from platypus_bank.access import healthy_item_of, item_body, item_with
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import open_accounts
from platypus_bank.errors import ProductNotReady
from platypus_bank.records import Item, Script
from platypus_bank.refresh import ask_the_bank
from platypus_bank.requests import ByAccessToken, Count, Days, Nullable
from platypus_bank.webhooks import news
from platypus_bank.world import World


class _Options(Struct, kw_only=True):
    include_original_description: Nullable[bool] = False
    include_personal_finance_category: bool = False
    include_logo_and_counterparty_beta: bool = False
    personal_finance_category_version: Literal["v1", "v2"] = "v2"
    days_requested: Days | None = None


class SyncOptions(_Options, kw_only=True):
    """TransactionsSyncRequestOptions; `account_id` opens a stream of its own."""

    account_id: str = ""


class GetOptions(_Options, kw_only=True):
    """TransactionsGetRequestOptions."""

    account_ids: list[str] | None = None
    count: Count = 100
    offset: Annotated[int, Meta(ge=0)] = 0
    include_personal_finance_category_beta: bool = False


class TransactionsSync(ByAccessToken, kw_only=True):
    """TransactionsSyncRequest."""

    cursor: Annotated[str, Meta(max_length=cursors.MAX_CHARS)] = ""
    count: Count = 100
    options: SyncOptions = field(default_factory=SyncOptions)


class TransactionsGet(ByAccessToken, kw_only=True):
    """TransactionsGetRequest."""

    start_date: date
    end_date: date
    options: GetOptions = field(default_factory=GetOptions)


def transactions_sync(world: World, request: TransactionsSync) -> dict[str, Any]:
    """Return one page of changes since the cursor (TransactionsSyncResponse).

    Raises InvalidField (foreign cursor), SyncMutation, and what `item_with` raises.
    """
    options = request.options
    item = _ready_item(world, request, options)
    cursor = pages.read_cursor(world, item, request.cursor, options.account_id)
    if options.account_id:
        open_accounts(world, item, [options.account_id])
    if not item.synced:
        _arm(world, item)
    status = history.status(world, item)
    if status == "NOT_READY" and not world.store.of(Script, item.id):
        return _nothing_yet(request)
    wanted = pages.Request(
        cursor=cursor,
        count=request.count,
        with_original=bool(options.include_original_description),
    )
    return _answer(world, item, pages.next_page(world, item, wanted), status)


def _ready_item(world: World, request: ByAccessToken, options: _Options) -> Item:
    before = healthy_item_of(world, request.access_token)
    if "transactions" not in before.products and options.days_requested:
        before.days_requested = options.days_requested
        world.store.put(before)
    item = item_with(world, request.access_token, "transactions")
    history.settle(world, item)
    return item


def _arm(world: World, item: Item) -> None:
    # What this very call brings is not told again.
    news.tell(world, item)
    item.synced = True
    world.store.put(item)


def _nothing_yet(request: TransactionsSync) -> dict[str, Any]:
    # A client that already holds a cursor keeps it: "" would mean starting over.
    kept = "" if request.cursor == "now" else request.cursor
    return {
        "transactions_update_status": "NOT_READY",
        "accounts": [],
        "added": [],
        "modified": [],
        "removed": [],
        "next_cursor": kept,
        "has_more": False,
    }


def _answer(world: World, item: Item, page: pages.Page, status: str) -> dict[str, Any]:
    return {
        "transactions_update_status": page.status or status,
        "accounts": pages.accounts_of(world, item, page),
        "added": page.added,
        "modified": page.modified,
        "removed": page.removed,
        "next_cursor": cursors.write(page.next, world.charter.seed),
        "has_more": page.has_more,
    }


def transactions_get(world: World, request: TransactionsGet) -> dict[str, Any]:
    """Return transactions by date, newest first (TransactionsGetResponse).

    Raises ProductNotReady until the first pull has come in.
    """
    options = request.options
    item = _ready_item(world, request, options)
    if history.status(world, item) == "NOT_READY":
        raise ProductNotReady
    accounts = open_accounts(world, item, options.account_ids)
    total, rows = world.ledger.window(
        item,
        (request.start_date.isoformat(), request.end_date.isoformat()),
        [each.id for each in accounts],
        (options.count, options.offset),
    )
    with_original = bool(options.include_original_description)
    return {
        "accounts": [each.body for each in accounts],
        "transactions": [row.json(with_original=with_original) for row in rows],
        "total_transactions": total,
        "item": item_body(item),
    }


def transactions_refresh(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Ask the bank again: only the dynamic user has anything new."""
    ask_the_bank(world, item_with(world, request.access_token, "transactions"))
    return {}


TABLE: Table = {
    "/transactions/sync": (TransactionsSync, transactions_sync),
    "/transactions/get": (TransactionsGet, transactions_get),
    "/transactions/refresh": (ByAccessToken, transactions_refresh),
}

"""/statements/*: what the bank sends at the end of a month (https://plaid.com/docs/api/products/statements/)."""

from datetime import date
from typing import Any

from platypus_bank import inflows, statements
from platypus_bank.access import item_with
from platypus_bank.endpoints import File, Table
from platypus_bank.endpoints.accounts import open_accounts
from platypus_bank.errors import InvalidField
from platypus_bank.passbook import passbook
from platypus_bank.records import Account, Item, Owners
from platypus_bank.requests import ByAccessToken
from platypus_bank.seeds.institutions import institution
from platypus_bank.statement_pdf import Heading, render
from platypus_bank.statements import Month, Period, statement_id
from platypus_bank.world import World


class StatementsDownload(ByAccessToken, kw_only=True):
    """StatementsDownloadRequest."""

    statement_id: str


class StatementsRefresh(ByAccessToken, kw_only=True):
    """StatementsRefreshRequest."""

    start_date: date
    end_date: date


def statements_list(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Return the statements of each account that has any, newest first (StatementsListResponse).

    Raises ProductNotReady, and what `item_with` raises.
    """
    item = _ready_item(world, request.access_token)
    bank = institution(item.institution_id)
    return {
        "item_id": item.id,
        "institution_id": bank.institution_id,
        "institution_name": bank.name,
        "accounts": [_listed(item, each) for each in _accounts(world, item)],
    }


def statements_download(world: World, request: StatementsDownload) -> File:
    """Return one statement as PDF.

    Raises InvalidField for a statement that is not there, and as `statements_list` does.
    """
    item = _ready_item(world, request.access_token)
    for account in _accounts(world, item):
        for month in item.statement_months:
            if statement_id(account, month) == request.statement_id:
                return File(_pdf(world, item, account, Month.read(month)), "application/pdf")
    raise InvalidField("statement_id does not name a statement of this item")


def statements_refresh(world: World, request: StatementsRefresh) -> dict[str, Any]:
    """Extract the statements of a period; a webhook tells when they are there.

    Raises InvalidField for a period that is none, ProductNotReady while the first extraction goes on.
    """
    item = _ready_item(world, request.access_token)
    period = Period(start_date=request.start_date, end_date=request.end_date)
    statements.refresh(world, item, period)
    return {}


def _ready_item(world: World, access_token: str) -> Item:
    item = item_with(world, access_token, "statements")
    statements.settle(world, item)
    inflows.settle(world, item)
    statements.check_ready(item)
    return item


def _accounts(world: World, item: Item) -> list[Account]:
    return [each for each in open_accounts(world, item) if statements.has_statements(each)]


def _listed(item: Item, account: Account) -> dict[str, Any]:
    # StatementsAccount knows no null, AccountBase does.
    body = account.body
    return {
        "account_id": account.id,
        "account_mask": body["mask"] or "",
        "account_name": body["name"],
        "account_official_name": body["official_name"] or body["name"],
        "account_subtype": body["subtype"] or "",
        "account_type": body["type"],
        "statements": [_entry(account, each) for each in reversed(item.statement_months)],
    }


def _entry(account: Account, named: str) -> dict[str, Any]:
    month = Month.read(named)
    return {
        "statement_id": statement_id(account, named),
        "date_posted": month.last_day().isoformat(),
        "month": month.month,
        "year": month.year,
    }


def _pdf(world: World, item: Item, account: Account, month: Month) -> bytes:
    body, known = account.body, world.store.get(Owners, account.id)
    balances = body["balances"]
    heading = Heading(
        bank=institution(item.institution_id).name,
        holders=[name for owner in (known.owners if known else ()) for name in owner["names"]],
        account=body["name"],
        mask=body["mask"] or "",
        currency=balances["iso_currency_code"] or balances["unofficial_currency_code"] or "",
        month=month,
    )
    return render(heading, passbook(world, item, account, month))


TABLE: Table = {
    "/statements/list": (ByAccessToken, statements_list),
    "/statements/download": (StatementsDownload, statements_download),
    "/statements/refresh": (StatementsRefresh, statements_refresh),
}

"""/investments/*: holdings, what was done, numbers (https://plaid.com/docs/api/products/investments/)."""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from platypus_bank.access import item_body, item_with
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import AccountsGet, open_accounts
from platypus_bank.errors import NoInvestmentAccounts, NoInvestmentAuthAccounts
from platypus_bank.investments import wait_for_extraction
from platypus_bank.records import Account, Item, Owners, Portfolio
from platypus_bank.requests import ByAccessToken, Count
from platypus_bank.world import World

_TYPES = {"investment", "brokerage"}
_SOURCES = {"numbers": "INSTITUTION", "owners": "INSTITUTION", "holdings": "INSTITUTION"}


class TransactionsOptions(Struct, kw_only=True):
    """InvestmentsTransactionsGetRequestOptions."""

    account_ids: list[str] | None = None
    count: Count = 100
    offset: Annotated[int, Meta(ge=0)] = 0
    async_update: bool = False


class TransactionsGet(ByAccessToken, kw_only=True):
    """InvestmentsTransactionsGetRequest."""

    start_date: date
    end_date: date
    options: TransactionsOptions = field(default_factory=TransactionsOptions)


class Scope(Struct):
    """The Item and the accounts that a call is about, and what those of them hold."""

    item: Item
    accounts: list[Account]
    portfolios: list[Portfolio]

    def body(self) -> dict[str, Any]:
        """Return what every answer has: the accounts as InvestmentAccount, and the Item."""
        return {
            "accounts": [_with_margin(each) for each in self.accounts],
            "item": item_body(self.item),
        }

    def securities(self, named: set[str]) -> list[Any]:
        """Return the securities of these ids, each once."""
        known = {each["security_id"]: each for own in self.portfolios for each in own.securities}
        return [body for security_id, body in known.items() if security_id in named]

    def holdings(self) -> dict[str, Any]:
        """Return what is held, and the securities of it."""
        held = [each for own in self.portfolios for each in own.holdings]
        named = {each["security_id"] for each in held}
        return {"holdings": held, "securities": self.securities(named)}


def _with_margin(account: Account) -> dict[str, Any]:
    balances = account.body["balances"] | {"margin_loan_amount": None}
    return account.body | {"balances": balances}


def _scope(world: World, token: str, product: str, account_ids: list[str] | None) -> Scope:
    """Return what a call is about.

    Raises NoInvestmentAccounts or NoInvestmentAuthAccounts, and as the functions it calls do.
    """
    item = item_with(world, token, product)
    accounts = open_accounts(world, item, account_ids)
    if not any(each.body["type"] in _TYPES for each in accounts):
        raise NoInvestmentAuthAccounts if product == "investments_auth" else NoInvestmentAccounts
    found = [world.store.get(Portfolio, each.id) for each in accounts]
    return Scope(item, accounts, [each for each in found if each is not None])


def holdings_get(world: World, request: AccountsGet) -> dict[str, Any]:
    """Return what the accounts hold today (InvestmentsHoldingsGetResponse)."""
    scope = _scope(world, request.access_token, "investments", request.options.account_ids)
    return scope.body() | scope.holdings()


def transactions_get(world: World, request: TransactionsGet) -> dict[str, Any]:
    """Return what was done between two days, newest first (InvestmentsTransactionsGetResponse).

    Raises ProductNotReady while an extraction that nobody waits for goes on.
    """
    options = request.options
    scope = _scope(world, request.access_token, "investments", options.account_ids)
    wait_for_extraction(world, scope.item, in_background=options.async_update)
    start, end = request.start_date.isoformat(), request.end_date.isoformat()
    rows = [each for own in scope.portfolios for each in own.trades if start <= each["date"] <= end]
    rows.sort(key=lambda row: (row["date"], row["investment_transaction_id"]), reverse=True)
    page = rows[options.offset : options.offset + options.count]
    return scope.body() | {
        "investment_transactions": page,
        "securities": scope.securities({each["security_id"] for each in page}),
        "total_investment_transactions": len(rows),
    }


def auth_get(world: World, request: AccountsGet) -> dict[str, Any]:
    """Return what a transfer of assets needs: numbers, owners, holdings (InvestmentsAuthGetResponse)."""
    options = request.options
    scope = _scope(world, request.access_token, "investments_auth", options.account_ids)
    scope.accounts = [each for each in scope.accounts if each.body["type"] in _TYPES]
    names = {each.id: _names(world, each) for each in scope.accounts}
    return (
        scope.body()
        | scope.holdings()
        | {
            "numbers": {"acats": [_acats(each) for each in scope.accounts]},
            "owners": [{"account_id": each, "names": known} for each, known in names.items()],
            "data_sources": _SOURCES,
        }
    )


def _names(world: World, account: Account) -> list[str]:
    known = world.store.get(Owners, account.id)
    return [name for owner in (known.owners if known else ()) for name in owner["names"]]


def _acats(account: Account) -> dict[str, Any]:
    # The example of /investments/auth/get has TR5555 for the account masked 5555.
    number = f"TR{account.body['mask']}"
    return {"account_id": account.id, "account": number, "dtc_numbers": ["1111", "2222", "3333"]}


def refresh(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Ask the bank again: in the Sandbox nothing comes of it, no webhook either."""
    item_with(world, request.access_token, "investments")
    return {}


TABLE: Table = {
    "/investments/holdings/get": (AccountsGet, holdings_get),
    "/investments/transactions/get": (TransactionsGet, transactions_get),
    "/investments/auth/get": (AccountsGet, auth_get),
    "/investments/refresh": (ByAccessToken, refresh),
}

"""/accounts/*: the Item's open accounts and their balances (https://plaid.com/docs/api/accounts/)."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from platypus_bank.access import healthy_item_of, item_body
from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidAccountId
from platypus_bank.records import Account, Item
from platypus_bank.requests import ByAccessToken
from platypus_bank.world import World


class AccountsOptions(Struct, kw_only=True):
    """Which accounts; None means all."""

    account_ids: list[str] | None = None


class BalanceOptions(AccountsOptions, kw_only=True):
    """Also the oldest balance that would do, which only Capital One needs."""

    min_last_updated_datetime: datetime | None = None


class AccountsGet(ByAccessToken, kw_only=True):
    """AccountsGetRequest."""

    options: AccountsOptions = field(default_factory=AccountsOptions)


class AccountsBalanceGet(ByAccessToken, kw_only=True):
    """AccountsBalanceGetRequest."""

    options: BalanceOptions = field(default_factory=BalanceOptions)


def accounts_get(world: World, request: AccountsGet | AccountsBalanceGet) -> dict[str, Any]:
    """Return the open accounts as the Item last saw them; the emulator's balances are live."""
    item = healthy_item_of(world, request.access_token)
    accounts = open_accounts(world, item, request.options.account_ids)
    return {"accounts": [each.body for each in accounts], "item": item_body(item)}


def open_accounts(world: World, item: Item, wanted: list[str] | None = None) -> list[Account]:
    """Return the Item's open accounts, or the wanted ones; raises InvalidAccountId."""
    known = {each.id: each for each in world.store.of(Account, item.id) if each.open}
    if not wanted:
        return list(known.values())
    if not known.keys() >= set(wanted):
        raise InvalidAccountId
    return [each for each in known.values() if each.id in wanted]


TABLE: Table = {
    "/accounts/get": (AccountsGet, accounts_get),
    "/accounts/balance/get": (AccountsBalanceGet, accounts_get),
}

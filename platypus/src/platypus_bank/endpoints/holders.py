"""/auth/get and /identity/get: account numbers, and whose they are.

https://plaid.com/docs/api/products/auth/, https://plaid.com/docs/api/products/identity/
"""

from typing import Any

from platypus_bank.access import item_body, item_with
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import AccountsGet, open_accounts
from platypus_bank.errors import NoAuthAccounts
from platypus_bank.records import Account, Owners
from platypus_bank.seeds.institutions import institution
from platypus_bank.seeds.owners import default_numbers, default_owner
from platypus_bank.world import World

_AUTH_SUBTYPES = {"checking", "savings", "cash management"}


def auth_get(world: World, request: AccountsGet) -> dict[str, Any]:
    """Return the numbers of the accounts that have any, in the way of the bank's country.

    Raises NoAuthAccounts, and what `item_with` and `open_accounts` raise.
    """
    item = item_with(world, request.access_token, "auth")
    accounts = open_accounts(world, item, request.options.account_ids)
    eligible = [each for each in accounts if each.body["subtype"] in _AUTH_SUBTYPES]
    if not eligible:
        raise NoAuthAccounts
    country = institution(item.institution_id).country_codes[0]
    numbers: dict[str, list[Any]] = {"ach": [], "eft": [], "international": [], "bacs": []}
    for account in eligible:
        for scheme, told in _numbers(_holder(world, account).numbers, country).items():
            numbers[scheme].append({"account_id": account.id, **told})
    return {
        "accounts": [each.body for each in eligible],
        "item": item_body(item),
        "numbers": numbers,
    }


def _numbers(known: dict[str, Any], country: str) -> dict[str, dict[str, Any]]:
    """Return the numbers by scheme: NumbersACH, NumbersEFT, or NumbersBACS and its IBAN."""
    account = known["account"]
    if country == "CA":
        eft = {"institution": known["eft_institution"], "branch": known["eft_branch"]}
        return {"eft": {"account": account, **eft}}
    if country == "GB":
        iban = {"iban": known["international_iban"], "bic": known["international_bic"]}
        bacs = {"account": account[-8:], "sort_code": known["bacs_sort_code"]}
        return {"bacs": bacs, "international": iban}
    routing = {"routing": known["ach_routing"], "wire_routing": known["ach_wire_routing"]}
    return {"ach": {"account": account, "is_tokenized_account_number": False, **routing}}


def identity_get(world: World, request: AccountsGet) -> dict[str, Any]:
    """Return the open accounts, each with its owners (IdentityGetResponse).

    Raises what `item_with` and `open_accounts` raise.
    """
    item = item_with(world, request.access_token, "identity")
    accounts = open_accounts(world, item, request.options.account_ids)
    owned = [each.body | {"owners": _holder(world, each).owners} for each in accounts]
    return {"accounts": owned, "item": item_body(item)}


def _holder(world: World, account: Account) -> Owners:
    known = world.store.get(Owners, account.id)
    numbers = default_numbers(account.body["mask"])
    return known or Owners(id=account.id, owners=[default_owner()], numbers=numbers)


TABLE: Table = {
    "/auth/get": (AccountsGet, auth_get),
    "/identity/get": (AccountsGet, identity_get),
}

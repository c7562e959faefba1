"""/liabilities/get: what is owed (https://plaid.com/docs/api/products/liabilities/)."""

from typing import Any, get_args

from platypus_bank.access import item_body, item_with
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import AccountsGet, open_accounts
from platypus_bank.errors import NoLiabilityAccounts
from platypus_bank.records import Liability
from platypus_bank.seeds.debts import Kind
from platypus_bank.world import World

_KINDS = get_args(Kind)


def liabilities_get(world: World, request: AccountsGet) -> dict[str, Any]:
    """Return the debts of the open accounts, a kind without any as null (LiabilitiesGetResponse).

    Raises NoLiabilityAccounts, and what `item_with` and `open_accounts` raise.
    """
    item = item_with(world, request.access_token, "liabilities")
    accounts = open_accounts(world, item, request.options.account_ids)
    found = [world.store.get(Liability, each.id) for each in accounts]
    known = [each for each in found if each is not None]
    if not known:
        raise NoLiabilityAccounts
    lists = {kind: [each.body for each in known if each.kind == kind] for kind in _KINDS}
    return {
        "accounts": [each.body for each in accounts],
        "item": item_body(item),
        "liabilities": {kind: bodies or None for kind, bodies in lists.items()},
    }


TABLE: Table = {"/liabilities/get": (AccountsGet, liabilities_get)}

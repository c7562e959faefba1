"""/transactions/recurring/get: what comes again (https://plaid.com/docs/api/products/transactions/)."""

from typing import Any, Literal

from msgspec import Struct, field

from platypus_bank import history
from platypus_bank.access import healthy_item_of
from platypus_bank.clock import iso
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import open_accounts
from platypus_bank.errors import ProductNotReady
from platypus_bank.recurring import find_streams
from platypus_bank.requests import ByAccessToken
from platypus_bank.world import World


class Options(Struct, kw_only=True):
    """TransactionsRecurringGetRequestOptions."""

    include_personal_finance_category: bool = False
    personal_finance_category_version: Literal["v1", "v2"] = "v2"


class TransactionsRecurringGet(ByAccessToken, kw_only=True):
    """TransactionsRecurringGetRequest."""

    account_ids: list[str] | None = None
    options: Options = field(default_factory=Options)


def recurring_get(world: World, request: TransactionsRecurringGet) -> dict[str, Any]:
    """Return what comes again in the whole history (TransactionsRecurringGetResponse).

    Raises ProductNotReady until all of the history is there, which Transactions has to bring: an
    Item that has not got it never has one.
    """
    item = healthy_item_of(world, request.access_token)
    history.settle(world, item)
    if history.status(world, item) != "HISTORICAL_UPDATE_COMPLETE":
        raise ProductNotReady
    wanted = {each.id for each in open_accounts(world, item, request.account_ids)}
    rows = (row.fields() for row in world.ledger.present(item) if row.account_id in wanted)
    streams = find_streams(rows, world.clock.today())
    return {
        "inflow_streams": streams.inflow,
        "outflow_streams": streams.outflow,
        "updated_datetime": iso(item.last_update_at or item.created_at),
        "personal_finance_category_version": "v2",
    }


TABLE: Table = {"/transactions/recurring/get": (TransactionsRecurringGet, recurring_get)}

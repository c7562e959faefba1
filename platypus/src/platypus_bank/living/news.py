"""Telling that a day brought news to the products beside Transactions.

https://plaid.com/docs/api/products/investments/#webhooks, /liabilities/#webhooks
"""

from msgspec import Struct, field

from platypus_bank.records import Item
from platypus_bank.webhooks import outbox
from platypus_bank.webhooks.bodies import webhook
from platypus_bank.world import World


class News(Struct):
    """Whose debts changed, how many trades are new, and how many holdings have new prices."""

    debts: list[str] = field(default_factory=list)
    trades: int = 0
    holdings: int = 0


def tell(world: World, item: Item, news: News) -> None:
    """Fire DEFAULT_UPDATE for each product that the Item has and that has news."""
    if news.holdings and "investments" in item.products:
        counts = {"new_holdings": 0, "updated_holdings": news.holdings}
        _fire(world, item, "HOLDINGS", **counts)
    if news.trades and "investments" in item.products:
        counts = {
            "new_investments_transactions": news.trades,
            "cancelled_investments_transactions": 0,
        }
        _fire(world, item, "INVESTMENTS_TRANSACTIONS", **counts)
    if news.debts and "liabilities" in item.products:
        changed = {each: ["balances"] for each in news.debts}
        _fire(
            world,
            item,
            "LIABILITIES",
            account_ids_with_new_liabilities=[],
            account_ids_with_updated_liabilities=changed,
        )


def _fire(world: World, item: Item, kind: str, **fields: object) -> None:
    body = webhook(kind, "DEFAULT_UPDATE", item_id=item.id, error=None, **fields)
    outbox.fire(world, item, body)

"""Telling that a day brought news to the products beside Transactions.

https://plaid.com/docs/api/products/investments/#webhooks, /liabilities/#webhooks
"""

from msgspec import Struct, field

from platypus_bank.records import Item
from platypus_bank.webhooks import bodies, outbox
from platypus_bank.world import World


class News(Struct):
    """Whose debts changed, how many trades are new, and how many holdings have new prices."""

    debts: list[str] = field(default_factory=list)
    trades: int = 0
    holdings: int = 0


def tell(world: World, item: Item, news: News) -> None:
    """Fire DEFAULT_UPDATE for each product that the Item has and that has news."""
    if news.holdings and "investments" in item.products:
        outbox.fire(world, item, bodies.holdings_update(item, news.holdings))
    if news.trades and "investments" in item.products:
        outbox.fire(world, item, bodies.investments_update(item, "DEFAULT_UPDATE", news.trades))
    if news.debts and "liabilities" in item.products:
        changed = {each: ["balances"] for each in news.debts}
        outbox.fire(world, item, bodies.liabilities_update(item, [], changed))

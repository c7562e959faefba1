"""Telling what is new in an Item's transactions, once, in the commit that brought it.

SYNC_UPDATES_AVAILABLE after the first call to /transactions/sync; the older codes always.
https://plaid.com/docs/api/products/transactions/#webhooks
"""

from collections.abc import Iterator
from datetime import timedelta

from platypus_bank.clock import day_of
from platypus_bank.history import INITIAL_DAYS
from platypus_bank.institution_status import is_reachable
from platypus_bank.records import Item, UpdateStatus
from platypus_bank.webhooks import bodies, outbox
from platypus_bank.webhooks.bodies import Body
from platypus_bank.world import World


def tell(world: World, item: Item) -> None:
    """Fire the webhooks for everything that changed since the last telling.

    While the Item is in error, its bank down, or not ready, nothing is told; it is made up for
    afterwards.
    """
    if not is_reachable(world, item) or "NOT_READY" in (item.given_out, item.held):
        return
    if (item.told_status, item.told_seq) == (item.given_out, item.last_seq):
        return
    if item.webhook is not None:
        for body in list(_news(world, item)):
            outbox.fire(world, item, body)
    item.told_status, item.told_seq = item.given_out, item.last_seq
    world.store.put(item)


def _news(world: World, item: Item) -> Iterator[Body]:
    first_day = day_of(item.created_at) - timedelta(days=INITIAL_DAYS)
    new, recent, removed = world.ledger.news(item, item.told_seq, first_day.isoformat())
    told, reached = item.told_status, item.given_out
    if removed:
        yield bodies.transactions_removed(item, removed)
    if told == reached:
        if new:
            yield bodies.new_transactions(item, "DEFAULT_UPDATE", new)
        yield from _sync(item, reached)
        return
    both = told == "NOT_READY" and reached == "HISTORICAL_UPDATE_COMPLETE"
    if told == "NOT_READY":
        yield bodies.new_transactions(item, "INITIAL_UPDATE", recent if both else new)
    if both:
        yield from _sync(item, "INITIAL_UPDATE_COMPLETE")
    if reached == "HISTORICAL_UPDATE_COMPLETE":
        yield bodies.new_transactions(item, "HISTORICAL_UPDATE", new - recent if both else new)
    yield from _sync(item, reached)


def _sync(item: Item, status: UpdateStatus) -> Iterator[Body]:
    if item.synced:
        yield bodies.sync_updates_available(item, status)

"""How an Item's past becomes visible with time, and how pending money posts.

The first 30 days come first (INITIAL_UPDATE), then the rest (HISTORICAL_UPDATE).
"""

from datetime import date, timedelta
from typing import get_args

from platypus_bank import inflows
from platypus_bank.clock import day_of
from platypus_bank.institution_status import is_reachable
from platypus_bank.ledger import Row
from platypus_bank.living import life
from platypus_bank.records import Account, Item, UpdateStatus
from platypus_bank.world import World

INITIAL_DAYS = 30
_ORDER: tuple[UpdateStatus, ...] = get_args(UpdateStatus)


def status(world: World, item: Item) -> UpdateStatus:
    """Return the transactions_update_status that holds now: as told, else by the clock."""
    return item.held or _by_clock(world, item)


def _by_clock(world: World, item: Item) -> UpdateStatus:
    if item.transactions_since is None:
        return "NOT_READY"
    settings, age = world.charter.settings, world.clock.now() - item.transactions_since
    if settings.initial_update_seconds == "held" or age < settings.initial_update_seconds:
        return "NOT_READY"
    if settings.historical_update_seconds == "held" or age < settings.historical_update_seconds:
        return "INITIAL_UPDATE_COMPLETE"
    return "HISTORICAL_UPDATE_COMPLETE"


def next_status_at(world: World, item: Item) -> float | None:
    """Return the instant at which more history comes in; None: not by the clock alone."""
    reached = _ORDER.index(item.given_out)
    if item.transactions_since is None or reached == len(_ORDER) - 1:
        return None
    if _ORDER.index(status(world, item)) > reached:
        return world.clock.now()
    settings = world.charter.settings
    waits = [settings.initial_update_seconds, settings.historical_update_seconds][: reached + 1]
    seconds = [each for each in waits if each != "held"]
    if item.held is not None or len(seconds) < len(waits):
        return None
    return item.transactions_since + max(seconds)


def settle(world: World, item: Item) -> None:
    """Bring an Item up to the clock: history that has come in, pendings that have posted.

    Plaid reaches no bank for an Item that is removed or in error, nor one that is down.
    """
    if not is_reachable(world, item):
        return
    life.settle(world, item)
    if item.transactions_since is None:
        return
    inflows.settle(world, item)
    before = item.last_seq, item.given_out
    item.given_out = max(item.given_out, status(world, item), key=_ORDER.index)
    if item.given_out != "NOT_READY":
        if before[1] == "NOT_READY":
            life.stage(world, item)
        world.ledger.give_out(item, *_visible_dates(item), _open_accounts(world, item))
    for row in world.ledger.due(item, world.clock.today().isoformat()):
        post(world, item, row, str(row.posts_on))
    if before != (item.last_seq, item.given_out):
        item.last_update_at = world.clock.now()
        world.store.put(item)


def _visible_dates(item: Item) -> tuple[str, str]:
    opened = day_of(item.created_at)
    oldest = opened - timedelta(days=item.days_requested)
    if item.start_date:
        oldest = date.fromisoformat(item.start_date)
    if item.given_out == "INITIAL_UPDATE_COMPLETE":
        oldest = max(oldest, opened - timedelta(days=INITIAL_DAYS))
    return oldest.isoformat(), item.end_date or date.max.isoformat()


def _open_accounts(world: World, item: Item) -> list[str]:
    return [account.id for account in world.store.of(Account, item.id) if account.open]


def post(world: World, item: Item, row: Row, posted_on: str) -> None:
    """Turn a pending transaction into a posted one: it goes, and a new id names it."""
    posted = row.fields() | {
        "transaction_id": world.ids.take(),
        "pending": False,
        "pending_transaction_id": row.transaction_id,
        "date": posted_on,
    }
    world.ledger.remove(item, row.transaction_id)
    if row.seq == 0:
        world.ledger.stage(item, [posted])
    else:
        world.ledger.put(item, posted)

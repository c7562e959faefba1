"""Very many transactions at once, for those who measure."""

from collections.abc import Iterator
from datetime import date, timedelta

from platypus_bank.ids import plaid_id
from platypus_bank.records import Account, Item
from platypus_bank.world import World

DEFAULT_SPREAD_DAYS = 730
_CENTS_CYCLE = 19_997  # a prime: amounts don't repeat in step with days or accounts


def append(world: World, item: Item, count: int, start: date | None = None) -> None:
    """Add `count` posted transactions, spread over the open accounts and over start..today."""
    today = world.clock.today()
    first_day = start or today - timedelta(days=DEFAULT_SPREAD_DAYS - 1)
    days = [
        (first_day + timedelta(days=each)).isoformat()
        for each in range(max((today - first_day).days, 0) + 1)
    ]
    accounts = [each.id for each in world.store.of(Account, item.id) if each.open]
    numbers = world.ids.take_range(count)
    world.ledger.append(item, count, _rows(world.ids.seed, numbers, accounts, days))
    item.last_update_at = world.clock.now()
    world.store.put(item)


def _rows(
    seed: int, numbers: range, accounts: list[str], days: list[str]
) -> Iterator[tuple[str, str, str, bytes]]:
    total = len(numbers)
    for place, number in enumerate(numbers):
        day = days[place * len(days) // total]
        dollars, cents = divmod(place % _CENTS_CYCLE + 1, 100)
        body = b'{"amount":%d.%02d,"date":"%b","name":"Purchase %d"' % (
            dollars,
            cents,
            day.encode(),
            place + 1,
        )
        yield plaid_id(seed, number), accounts[place % len(accounts)], day, body

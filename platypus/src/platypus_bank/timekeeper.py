"""What time alone does to Items: history comes in, pendings post, logins end; and telling of it."""

import asyncio
from contextlib import suppress
from datetime import date

from platypus_bank import health, history, inflows, investments, statements
from platypus_bank.clock import midnight
from platypus_bank.institution_status import is_reachable
from platypus_bank.records import Item
from platypus_bank.webhooks import news
from platypus_bank.world import World

NAP_SECONDS_MAX = 30.0  # the world's clock is the machine's, which may jump


class Timekeeper:
    """Knows when each Item changes next, and lets it change.

    `catch_up` runs at the end of every commit, so a change and its webhook are one. Where nobody
    listens, history waits for the next call. Alarms live in memory: they follow from the Items.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._alarms: dict[str, float] | None = None
        self._woken = asyncio.Event()

    def look_again(self) -> None:
        """Work out all alarms anew: the world or its settings changed as a whole."""
        self._alarms = None

    def wake(self) -> None:
        """Plan the nap anew, soon."""
        self._woken.set()

    def catch_up(self) -> None:
        """Let everything happen that is due by the world's clock, and tell what changed."""
        for item in self._concerned().values():
            if _login_is_over(self._world, item):
                health.break_login(self._world, item, item.break_reason)
            investments.settle(self._world, item)
            statements.settle(self._world, item)
            inflows.settle(self._world, item)
            if item.webhook is not None:
                history.settle(self._world, item)
            news.tell(self._world, item)
            self._plan(item)
        self._world.store.fresh_items.clear()

    def _concerned(self) -> dict[str, Item]:
        fresh = dict(self._world.store.fresh_items)
        if self._alarms is None:
            self._alarms = {}
            return {each.id: each for each in self._world.store.every(Item)} | fresh
        now = self._world.clock.now()
        for item_id in [each for each, at in self._alarms.items() if at <= now]:
            item = fresh.get(item_id) or self._world.store.get(Item, item_id)
            if item is not None:
                fresh[item_id] = item
        return fresh

    def _plan(self, item: Item) -> None:
        alarms = self._alarms if self._alarms is not None else {}
        alarms.pop(item.id, None)
        instants = _changes_by_clock(self._world, item)
        if instants:
            alarms[item.id] = min(instants)

    async def nap(self) -> bool:
        """Sleep until an alarm goes off (True), or until the plan may have changed (False)."""
        at = min(self._alarms.values(), default=None) if self._alarms is not None else 0.0
        now = self._world.clock.now()
        seconds = NAP_SECONDS_MAX if at is None else min(max(at - now, 0.0), NAP_SECONDS_MAX)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
        return at is not None and at <= self._world.clock.now()


def _login_is_over(world: World, item: Item) -> bool:
    ends_at = health.login_ends_at(world, item)
    return is_reachable(world, item) and ends_at is not None and ends_at <= world.clock.now()


def _changes_by_clock(world: World, item: Item) -> list[float]:
    if item.removed:
        return []
    instants = [statements.next_end_at(world, item)]
    if not is_reachable(world, item):
        return [each for each in instants if each is not None]
    instants += [
        health.login_ends_at(world, item),
        item.investments_due_at,
        inflows.next_at(world, item),
    ]
    if item.webhook is not None:
        posting = world.ledger.next_posting(item)
        instants.append(history.next_status_at(world, item))
        instants.append(item.changes_at)
        instants.append(None if posting is None else midnight(date.fromisoformat(posting)))
    return [each for each in instants if each is not None]

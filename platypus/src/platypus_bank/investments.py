"""How investments come in: at once, or, where the client does not want to wait, with a webhook.

https://plaid.com/docs/api/products/investments/#investmentstransactionsget, `async_update`
"""

from platypus_bank.errors import ProductNotReady
from platypus_bank.institution_status import is_reachable
from platypus_bank.records import Item, Portfolio
from platypus_bank.webhooks import outbox
from platypus_bank.webhooks.bodies import investments_update
from platypus_bank.world import World


def wait_for_extraction(world: World, item: Item, *, in_background: bool) -> None:
    """Let the first extraction of an Item take place; raises ProductNotReady while it goes on.

    One in the background takes as long as the world's historical update. A client that waits has
    it at once: the emulator does not block, as the Sandbox may for a minute or two.
    """
    settle(world, item)
    if item.investments_ready:
        return
    if in_background and item.investments_due_at is None:
        seconds = world.charter.settings.historical_update_seconds
        item.investments_due_at = None if seconds == "held" else world.clock.now() + seconds
        world.store.put(item)
    if in_background or item.investments_due_at is not None:
        raise ProductNotReady
    item.investments_ready = True
    world.store.put(item)


def settle(world: World, item: Item) -> None:
    """End an extraction whose time has come, and tell of it."""
    due_at = item.investments_due_at
    if due_at is None or due_at > world.clock.now() or not is_reachable(world, item):
        return
    item.investments_ready, item.investments_due_at = True, None
    world.store.put(item)
    trades = sum(len(each.trades) for each in world.store.of(Portfolio, item.id))
    outbox.fire(world, item, investments_update(item, "HISTORICAL_UPDATE", trades))

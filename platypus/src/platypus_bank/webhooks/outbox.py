"""Firing a webhook: it is stored in the commit of the change it tells, and sent afterwards."""

from typing import Any

from platypus_bank.records import Item
from platypus_bank.webhooks import signing, trouble
from platypus_bank.webhooks.deliveries import Delivery, Forgery
from platypus_bank.world import World


def fire(world: World, item: Item, body: dict[str, Any]) -> None:
    """Send a body to the Item's webhook; without one, or once it is removed, nothing happens."""
    if item.webhook is None or item.removed:
        return
    item.last_webhook_at, item.last_webhook_code = world.clock.now(), body["webhook_code"]
    world.store.put(item)
    post(world, item.webhook, body, item_id=item.id)


def post(
    world: World,
    url: str,
    body: dict[str, Any] | str,
    *,
    item_id: str | None = None,
    forge: Forgery | None = None,
) -> None:
    """Send a body to a URL; a str goes as it stands."""
    signing.current_key(world)
    now = world.clock.now()
    named = {} if isinstance(body, str) else body
    delivery = Delivery(
        url=url,
        text=body if isinstance(body, str) else signing.write(body),
        created_at=now,
        due_at=now,
        item_id=item_id,
        webhook_type=_text(named.get("webhook_type")),
        webhook_code=_text(named.get("webhook_code")),
        forge=forge,
    )
    trouble.send_through(world, delivery)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

"""What a world comes to: one hash over all that its Items' clients must hold."""

from hashlib import sha256
from typing import Any, Protocol

from platypus_bank import history
from platypus_bank.exact_json import encode
from platypus_bank.records import Account, Item, Liability, Portfolio
from platypus_bank.world import World


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def of_world(world: World) -> dict[str, Any]:
    """Bring every Item up to the clock, and return how many Items and transactions there are, and their hash.

    The order in which things came to be does not count.
    """
    total, count, items = sha256(), 0, world.store.every(Item)
    for item in sorted(items, key=lambda each: each.id):
        history.settle(world, item)
        count += _add(world, item, total)
    return {"items": len(items), "transactions": count, "hash": total.hexdigest()}


def _add(world: World, item: Item, total: _Hash) -> int:
    for kind in (Account, Liability, Portfolio):
        for record in sorted(world.store.of(kind, item.id), key=lambda each: each.id):
            total.update(encode(record))
    rows = sorted(world.ledger.present(item), key=lambda row: row.transaction_id)
    for row in rows:
        total.update(encode(row.json(with_original=True)))
    return len(rows)

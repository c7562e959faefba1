"""What the pages show of a world and of an Item: no token, no secret. Looking changes nothing."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from platypus_bank.access import error_of
from platypus_bank.control import faults, items, webhooks
from platypus_bank.control import world as world_controls
from platypus_bank.control.door import Knock
from platypus_bank.control.health import BREAKING
from platypus_bank.institution_status import status_of
from platypus_bank.records import Account, Item
from platypus_bank.seeds.institutions import institution
from platypus_bank.service import Service
from platypus_bank.webhooks.firable import FIRABLE
from platypus_bank.world import World

ROWS_MAX = 20
ITEMS_MAX = 100
_EVER = ("0000-01-01", "9999-12-31")


def world_view(service: Service) -> dict[str, Any]:
    """Return what there is to see of a whole world, its newest Items first."""
    world = service.world
    known = world.store.every(Item)[::-1]
    return {
        "charter": world.charter,
        "clock": world_controls.clock(_knock(service)),
        "items": [_row(world, each) for each in known[:ITEMS_MAX]],
        "items_total": len(known),
        **_happenings(service),
    }


def item_view(service: Service, item: Item) -> dict[str, Any]:
    """Return what there is to see of one Item, and what may be chosen in its forms."""
    world = service.world
    total, rows = world.ledger.window(item, _EVER, [], (ROWS_MAX, 0))
    return {
        "charter": world.charter,
        "clock": world_controls.clock(_knock(service)),
        "item": _row(world, item),
        "error": error_of(item),
        "transactions": [each.fields() for each in rows],
        "transactions_total": total,
        "names": {each.id: each.body["name"] for each in world.store.of(Account, item.id)},
        "breaking": BREAKING,
        "firable": list(_firable(item)),
        **_happenings(service, item),
    }


def worlds_view(services: list[Service]) -> list[dict[str, Any]]:
    """Return each world with its client_id, "" where nobody has called yet."""
    return [
        {
            "client_id": each.world.charter.client_id or "",
            "items": sum(not item.removed for item in each.world.store.every(Item)),
        }
        for each in services
    ]


def _row(world: World, item: Item) -> dict[str, Any]:
    return {
        **items.shown(world, item),
        "bank": institution(item.institution_id).name,
        "webhook": _without_query(item.webhook),
        "health": _health(world, item),
        "accounts": world.store.of(Account, item.id),
    }


def _health(world: World, item: Item) -> str:
    """Return the worst that can be said of an Item, in a word or two."""
    if item.removed:
        return "removed"
    if item.error_code is not None:
        return item.error_code
    bank = status_of(world, item.institution_id).status
    if bank != "HEALTHY":
        return f"bank {bank.lower()}"
    return "healthy" if item.breaks_at is None else "about to break"


def _happenings(service: Service, item: Item | None = None) -> dict[str, Any]:
    about = {} if item is None else {"item_id": item.id}
    told = webhooks.show(_knock(service, query={"count": str(ROWS_MAX)} | about))
    script = faults.show_script(_knock(service, item))["steps"] if item else []
    waiting = {each.get("fault_id") for each in script}
    planted = [
        each
        for each in faults.show(_knock(service))["faults"]
        if each["fault_id"] not in waiting and (item is None or _concerns(each, item))
    ]
    troubles = webhooks.show_trouble(_knock(service))["trouble"]
    return {
        "calls": world_controls.calls(_knock(service, query=about))["calls"][: -ROWS_MAX - 1 : -1],
        "deliveries": [_delivery(each) for each in told["deliveries"][::-1]],
        "states": told["states"],
        "held": told["held"],
        "faults": planted,
        "troubles": [each for each in troubles if item is None or _concerns(each["match"], item)],
        "script": script,
    }


def _concerns(aim: dict[str, Any], item: Item) -> bool:
    return aim.get("item_id") in (None, item.id)


def _delivery(shown: dict[str, Any]) -> dict[str, Any]:
    # The text stays away: those of Link carry link tokens and public tokens.
    last = shown["attempts"][-1] if shown["attempts"] else None
    answer = "" if last is None else last.status or last.problem
    return shown | {"url": _without_query(shown["url"]), "text": None, "answer": answer}


def _without_query(url: str | None) -> str | None:
    """Return a URL without what receivers put their secrets in."""
    if url is None:
        return None
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return bare if bare == url else f"{bare} (and more)"


def _firable(item: Item) -> Iterator[tuple[str, str, bool]]:
    """Yield each webhook as (type, code, whether the Item has its product)."""
    for code, known in FIRABLE.items():
        for kind, product, _ in known:
            yield kind, code, product is None or product in item.products


def _knock(
    service: Service, item: Item | None = None, query: dict[str, str] | None = None
) -> Knock:
    path = {} if item is None else {"item_id": item.id}
    return Knock(service=service, path=path, query=query or {}, body={})

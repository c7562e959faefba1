"""/platypus/webhooks: what was sent, trouble on the way, keys, and webhooks of one's own."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from platypus_bank.clock import iso
from platypus_bank.control.door import Action, Knock, RefusedError, UnknownError
from platypus_bank.records import Item
from platypus_bank.requests import Url
from platypus_bank.webhooks import outbox, signing, trouble
from platypus_bank.webhooks.deliveries import Delivery, Forgery

SHOWN = 1000


class Send(Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook of one's own: to an Item's webhook or any URL, a body to sign or a raw text."""

    item_id: str | None = None
    url: Url | None = None
    body: dict[str, Any] | None = None
    text: str | None = None
    forge: Forgery | None = None
    count: Annotated[int, Meta(ge=1, le=10_000)] = 1


class Rotate(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether the old keys expire at once."""

    expire_old: bool = False


def show(knock: Knock) -> dict[str, Any]:
    """Return the last deliveries, newest last, and how many are in each state.

    `?item_id=` and `?count=` narrow the list.
    """
    deliveries = knock.service.world.deliveries
    wanted = knock.query.get("count", "")
    count = int(wanted) if wanted.isdecimal() else SHOWN
    found = deliveries.newest(count, knock.query.get("item_id"))
    return {
        "held": knock.service.world.charter.webhooks_held,
        "states": deliveries.counts(),
        "deliveries": [_shown(each) for each in found],
    }


def _shown(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.number,
        "webhook_type": delivery.webhook_type,
        "webhook_code": delivery.webhook_code,
        "item_id": delivery.item_id,
        "url": delivery.url,
        "text": delivery.text,
        "state": delivery.state,
        "reason": delivery.reason,
        "forge": delivery.forge,
        "created_at": iso(delivery.created_at),
        "due_at": iso(delivery.due_at) if delivery.state == "waiting" else None,
        "attempts": delivery.attempts,
    }


def send(knock: Knock) -> dict[str, Any]:
    """Send a webhook of one's own, any number of times."""
    world, wanted = knock.service.world, knock.read(Send)
    item = None if wanted.item_id is None else world.store.get(Item, wanted.item_id)
    url = wanted.url or (item.webhook if item else None)
    if url is None:
        raise RefusedError("name a url, or the item_id of an Item with a webhook")
    content = wanted.text if wanted.body is None else wanted.body
    if content is None:
        raise RefusedError("give a body (an object) or a text (as it is to be sent)")
    for _ in range(wanted.count):
        outbox.post(world, url, content, item_id=wanted.item_id, forge=wanted.forge)
    return {"sent": wanted.count}


def hold(knock: Knock) -> dict[str, Any]:
    """Send nothing from now on; webhooks pile up."""
    return _held(knock, held=True)


def release(knock: Knock) -> dict[str, Any]:
    """Send what has piled up."""
    return _held(knock, held=False)


def _held(knock: Knock, *, held: bool) -> dict[str, Any]:
    world = knock.service.world
    world.charter.webhooks_held = held
    world.save()
    return {"held": held, "states": world.deliveries.counts()}


def rotate_key(knock: Knock) -> dict[str, Any]:
    """Sign with a new key from now on."""
    key = signing.rotate(knock.service.world, expire_old=knock.read(Rotate).expire_old)
    return {"key_id": key.id, "keys": keys(knock)["keys"]}


def keys(knock: Knock) -> dict[str, Any]:
    """Return the public halves of all keys, newest last."""
    world = knock.service.world
    signing.current_key(world)
    return {"keys": [signing.jwk(each) for each in world.store.every(signing.SigningKey)]}


def make_trouble(knock: Knock) -> dict[str, Any]:
    """Ask for trouble."""
    try:
        made = trouble.plant(knock.service.world, knock.read(trouble.TroubleRequest))
    except ValueError as problem:
        raise RefusedError(str(problem)) from problem
    return {"trouble_id": made.id}


def show_trouble(knock: Knock) -> dict[str, Any]:
    """Return every trouble: what it is, how many webhooks it took, which ones it holds."""
    return {"trouble": [_shown_trouble(each) for each in _troubles(knock)]}


def _troubles(knock: Knock) -> list[trouble.Trouble]:
    return knock.service.world.store.every(trouble.Trouble)


def _shown_trouble(known: trouble.Trouble) -> dict[str, Any]:
    asked: dict[str, Any] = msgspec.to_builtins(known.request)
    return {
        "trouble_id": known.id,
        "name": known.name,
        **asked,
        "fired": known.fired,
        "held": known.held,
    }


def end_trouble(knock: Knock) -> dict[str, Any]:
    """End all trouble; what it holds goes its way, last first."""
    trouble.clear(knock.service.world)
    return {"trouble": []}


def show_one(knock: Knock) -> dict[str, Any]:
    """Return one delivery."""
    number = knock.path["delivery_id"]
    found = knock.service.world.deliveries.find(int(number)) if number.isdecimal() else None
    if found is None:
        raise UnknownError(f"no delivery {number}")
    return _shown(found)


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/webhooks"): show,
    ("GET", "/webhooks/deliveries/{delivery_id}"): show_one,
    ("POST", "/webhooks/send"): send,
    ("POST", "/webhooks/hold"): hold,
    ("POST", "/webhooks/release"): release,
    ("POST", "/webhooks/rotate_key"): rotate_key,
    ("GET", "/webhooks/keys"): keys,
    ("POST", "/webhooks/trouble"): make_trouble,
    ("GET", "/webhooks/trouble"): show_trouble,
    ("DELETE", "/webhooks/trouble"): end_trouble,
}

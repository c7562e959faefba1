"""Trouble on the way to the receiver: deliveries that come late, twice, reversed, forged or never."""

from typing import Annotated

from msgspec import Meta, Struct, field

from platypus_bank.records import Document
from platypus_bank.webhooks.deliveries import Delivery, Forgery
from platypus_bank.world import World

MAX_TROUBLES = 1000


class Match(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which webhooks; None matches all."""

    webhook_type: str | None = None
    webhook_code: str | None = None
    item_id: str | None = None

    def fits(self, delivery: Delivery) -> bool:
        """Tell whether a delivery is meant."""
        return (
            self.webhook_type in (None, delivery.webhook_type)
            and self.webhook_code in (None, delivery.webhook_code)
            and self.item_id in (None, delivery.item_id)
        )


class TroubleRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """What befalls the next `times` webhooks that match, after the first `after` (0 times: all).

    `reorder` collects so many, then sends them last first; `times` is one such batch by default,
    else 1.
    """

    match: Match = field(default_factory=Match)
    times: Annotated[int, Meta(ge=0)] | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    delay_seconds: Annotated[float, Meta(ge=0)] = 0.0
    double: bool = False
    drop: bool = False
    reorder: Annotated[int, Meta(ge=2, le=1000)] | None = None
    forge: Forgery | None = None


class Trouble(Document, kw_only=True):
    """A trouble that was asked for, and what has become of it; `held` are delivery numbers."""

    request: TroubleRequest
    seen: int = 0
    fired: int = 0
    held: list[int] = field(default_factory=list)

    def takes(self, delivery: Delivery) -> bool:
        """Count a delivery, and tell whether it is one to trouble."""
        if not self.request.match.fits(delivery):
            return False
        self.seen += 1
        times = self.request.reorder or 1 if self.request.times is None else self.request.times
        if self.seen <= self.request.after or (times and self.fired >= times):
            return False
        self.fired += 1
        return True


def plant(world: World, request: TroubleRequest) -> Trouble:
    """Ask for trouble; raises ValueError beyond MAX_TROUBLES."""
    made = len(world.store.every(Trouble))
    if made >= MAX_TROUBLES:
        raise ValueError(f"no more than {MAX_TROUBLES}; DELETE /platypus/webhooks/trouble first")
    trouble = Trouble(id=f"trouble-{made + 1}", request=request)
    world.store.put(trouble)
    return trouble


def send_through(world: World, delivery: Delivery) -> None:
    """Put a new webhook into the outbox, as often and in the state that the oldest trouble says."""
    trouble = _taking(world, delivery)
    if trouble is None:
        world.deliveries.add(delivery)
        return
    wanted = trouble.request
    delivery.due_at += wanted.delay_seconds
    delivery.forge = delivery.forge or wanted.forge
    if wanted.drop:
        delivery.state, delivery.reason = "dropped", "a trouble dropped it"
    elif wanted.reorder:
        delivery.state = "held"
    added = [world.deliveries.add(delivery) for _ in range(2 if wanted.double else 1)]
    if delivery.state == "held":
        trouble.held += [each.number for each in added]
        if trouble.fired % (wanted.reorder or 1) == 0:
            let_go(world, trouble)
    world.store.put(trouble)


def _taking(world: World, delivery: Delivery) -> Trouble | None:
    for trouble in world.store.every(Trouble):
        taken, changed = trouble.takes(delivery), trouble.request.match.fits(delivery)
        if changed:
            world.store.put(trouble)
        if taken:
            return trouble
    return None


def let_go(world: World, trouble: Trouble) -> None:
    """Send what a trouble holds, last first: each waits for the first try of the one before."""
    previous: int | None = None
    for number in reversed(trouble.held):
        delivery = world.deliveries.find(number)
        if delivery is not None:
            delivery.state, delivery.after = "waiting", previous
            world.deliveries.put(delivery)
            previous = number
    trouble.held = []


def clear(world: World) -> None:
    """End all trouble; what is held goes its way."""
    for trouble in world.store.every(Trouble):
        let_go(world, trouble)
        world.store.delete(trouble)

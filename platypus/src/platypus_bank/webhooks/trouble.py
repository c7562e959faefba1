"""Trouble on the way to the receiver: deliveries that come late, twice, reversed, forged or never."""

from typing import Annotated

from msgspec import Meta, Struct, field

from platypus_bank.dice import falls
from platypus_bank.exact_json import encode
from platypus_bank.records import Document
from platypus_bank.webhooks import signing
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
    else 1. With a `chance` the world's seed decides for each, and `times` is 0 by default. `rotate`
    makes a new signing key first.
    """

    match: Match = field(default_factory=Match)
    times: Annotated[int, Meta(ge=0)] | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    delay_seconds: Annotated[float, Meta(ge=0)] = 0.0
    double: bool = False
    drop: bool = False
    reorder: Annotated[int, Meta(ge=2, le=1000)] | None = None
    forge: Forgery | None = None
    rotate: bool = False
    chance: Annotated[float, Meta(ge=0, le=1)] | None = None

    @property
    def times_max(self) -> int:
        """Return how many webhooks are troubled at most; 0 means any number."""
        if self.times is None:
            return self.reorder or 1 if self.chance is None else 0
        return self.times


class Trouble(Document, kw_only=True):
    """A trouble that was asked for, and what has become of it; `held` are delivery numbers.

    `throws` is how often the dice were thrown for an Item's webhooks of one code.
    """

    request: TroubleRequest
    name: str | None = None
    seen: int = 0
    fired: int = 0
    held: list[int] = field(default_factory=list)
    throws: dict[str, int] = field(default_factory=dict)

    def takes(self, delivery: Delivery, seed: int) -> bool:
        """Count a delivery, and tell whether it is one to trouble."""
        wanted = self.request
        if not wanted.match.fits(delivery):
            return False
        self.seen += 1
        is_spent = 0 < wanted.times_max <= self.fired
        if self.seen <= wanted.after or is_spent or not self._falls(delivery, seed):
            return False
        self.fired += 1
        return True

    def _falls(self, delivery: Delivery, seed: int) -> bool:
        if self.request.chance is None:
            return True
        place = f"{delivery.item_id}/{delivery.webhook_code}"
        self.throws[place] = self.throws.get(place, 0) + 1
        key = self.name or encode(self.request).decode()
        return falls(self.request.chance, seed, key, place, self.throws[place])


def plant(world: World, request: TroubleRequest, name: str | None = None) -> Trouble:
    """Ask for trouble, by a name of the catalogue or none; raises ValueError beyond MAX_TROUBLES."""
    made = len(world.store.every(Trouble))
    if made >= MAX_TROUBLES:
        raise ValueError(f"no more than {MAX_TROUBLES}; DELETE /platypus/webhooks/trouble first")
    trouble = Trouble(id=f"trouble-{made + 1}", request=request, name=name)
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
    if wanted.rotate:
        signing.rotate(world, expire_old=False)
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
        taken = trouble.takes(delivery, world.charter.seed)
        changed = trouble.request.match.fits(delivery)
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

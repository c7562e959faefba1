"""How a movement of money goes: shown, posted, changed, taken back; and all that a day brings."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from msgspec import Struct

from platypus_bank.living.person import Role

LOOK_BACK_DAYS = 14
"""So long after its day a movement may still change."""
Category = tuple[str, str]


class State(NamedTuple):
    """What the bank shows of a movement at an instant, and Plaid makes of it."""

    pending: bool
    refined: bool


class Movement(Struct, frozen=True, kw_only=True):
    """One movement on one account; positive cents leave it. Instants in epoch seconds.

    Without `posted_at` it stays pending until it is gone; where it is posted at the instant it is
    first shown, it was never pending. `refined_at` is when Plaid knows the merchant.
    """

    key: str
    account: Role
    cents: int
    label: str
    category: Category
    merchant: str | None = None
    channel: str = "other"
    held_cents: int | None = None
    shown_at: float
    posted_at: float | None
    refined_at: float | None = None
    gone_at: float | None = None

    def state(self, instant: float) -> State | None:
        """Return what is shown of it at an instant; None: nothing yet, or nothing any more."""
        if instant < self.shown_at or (self.gone_at is not None and instant >= self.gone_at):
            return None
        pending = self.posted_at is None or instant < self.posted_at
        return State(pending, self.refined_at is None or instant >= self.refined_at)

    @property
    def was_pending(self) -> bool:
        """Whether the bank showed it before it was posted."""
        return self.posted_at is None or self.posted_at > self.shown_at

    def amount(self, state: State) -> int:
        """Return the cents shown in a state."""
        return self.cents if not state.pending or self.held_cents is None else self.held_cents

    def instants(self) -> Iterator[float]:
        """Yield when it changes."""
        for instant in (self.shown_at, self.posted_at, self.refined_at, self.gone_at):
            if instant is not None:
                yield instant


class Step(NamedTuple):
    """What became of a movement between two instants."""

    at: float
    movement: Movement
    before: State | None
    after: State | None


def step(movement: Movement, since: float, until: float) -> Step | None:
    """Return what became of a movement in (since, until]; None: nothing that shows."""
    before, after = movement.state(since), movement.state(until)
    if before == after:
        return None
    return Step(
        max(each for each in movement.instants() if since < each <= until), movement, before, after
    )


def each_day(first: date, last: date) -> Iterator[date]:
    """Yield each day from the first to the last."""
    for each in range((last - first).days + 1):
        yield first + timedelta(days=each)

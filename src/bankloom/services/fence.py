"""The fence around a run: every commit that changes an Item first proves that the run still holds it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import BankloomError
from bankloom.models import Item, ItemProduct, SyncRun
from bankloom.services import schedules
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime
    from bankloom.services.settle_run import Outcomes


class SupersededError(BankloomError):
    """Another run has taken this Item over, or it was removed; this run's work is discarded."""

    code = "superseded"


class StoppedError(BankloomError):
    """The worker is leaving; the run ends between two pages and another takes it up."""

    code = "stopped"


@dataclass
class Run:
    """A run of an Item that has begun, with the leases it holds on its product tags and its look."""

    runtime: Runtime
    id: uuid.UUID
    item: Item
    access_token: str = field(repr=False)
    trigger: str
    allow_removals: bool
    asks_item: bool
    tags: list[ItemProduct]
    leases: dict[str, datetime]
    check_lease: datetime | None
    should_stop: Callable[[], bool]
    outcomes: Outcomes = field(default_factory=dict)

    @contextmanager
    def hold(self) -> Iterator[Session]:
        """Give a session that commits only if this run still holds the Item.

        Errors: `SupersededError`, and nothing is written.
        """
        with self.runtime.database.session() as session:
            generation = self.item.token_generation
            item = Item.hold(session, self.item.item_id, self.id, generation)
            if item is None:
                raise SupersededError
            yield session  # which has the Item at hand while it is named here

    def renew(self, session: Session, tag: ItemProduct) -> None:
        """Prolong the lease on a tag, unless a trigger has made the tag due meanwhile."""
        until = clock.now() + _lease(self.runtime)
        if ItemProduct.move_lease(session, tag, self.leases[tag.product], until):
            self.leases[tag.product] = until

    def stop_if_asked(self) -> None:
        """Leave between two pages when the worker is leaving. Errors: `StoppedError`."""
        if self.should_stop():
            raise StoppedError


def begin(runtime: Runtime, item_id: str, should_stop: Callable[[], bool]) -> Run | None:
    """Begin a run of the Item over what is due of it; None where there is nothing to do, or not yet.

    Errors: `WorldMismatchError`, `SealBrokenError`; nothing has begun then.
    """
    with runtime.database.session() as session:
        item = Item.lock(session, item_id)
        if item is None:
            return None
        refuse_other_world(item.world, runtime.plaid.world)
        ItemProduct.lock(session, item_id)
        at = clock.now()
        if item.cooling_until and item.cooling_until > at:
            item.put_off_check(item.cooling_until)
            ItemProduct.put_off(session, item_id, item.cooling_until)
            return None
        lease = at + _lease(runtime)
        requested = SyncRun.is_queued(session, item_id)
        tags = list(ItemProduct.claim_due(session, item_id, at, lease, all_that_work=requested))
        if not tags and not requested and not _is_due(item, at):
            return None
        run = SyncRun.begin(session, item_id, at)
        looks = _is_due(item, at + schedules.goes_along(runtime.settings))
        if looks:
            item.check_at, run.asks_item = lease, True
        item.run_id = run.id
        token = runtime.keyring.open(item.access_token_sealed, item.item_id)
    leases = {tag.product: lease for tag in tags}
    return Run(
        runtime=runtime,
        id=run.id,
        item=item,
        access_token=token,
        trigger=run.trigger,
        allow_removals=run.allow_removals,
        asks_item=run.asks_item,
        tags=tags,
        leases=leases,
        check_lease=lease if looks else None,
        should_stop=should_stop,
    )


def _is_due(item: Item, at: datetime) -> bool:
    return item.check_at is not None and item.check_at <= at


def _lease(runtime: Runtime) -> timedelta:
    return timedelta(seconds=runtime.settings.lease_seconds)

"""Asks for a run of an Item: what is due, the run's row and the wake-up, in the caller's commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.services import audit

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from bankloom.models import Item
    from bankloom.services.runtime import Runtime

PERSON = "person"
"""The trigger of a run that somebody asked for; it does not use up the waits of the automatic ones."""


def by_person(
    runtime: Runtime,
    session: Session,
    item: Item,
    trigger: str = PERSON,
    *,
    allow_removals: bool = False,
) -> uuid.UUID:
    """Ask as `request` does, for the runtime's actor, and note it; return the run."""
    run_id = request(session, item.item_id, trigger, allow_removals=allow_removals)
    audit.note(
        runtime,
        session,
        audit.Action.SYNC_ASKED,
        item_id=item.item_id,
        user_id=item.user_id,
        run_id=run_id,
        allow_removals=allow_removals,
    )
    return run_id


def request(
    session: Session,
    item_id: str,
    trigger: str,
    *,
    allow_removals: bool = False,
    asks_item: bool = False,
) -> uuid.UUID:
    """Ask, in this session's commit, for a run of the Item that begins after it; return the run.

    The wishes are those of `SyncRun.queue`. Only a person's request tries a product without consent
    again: that may add it to the Item. It is `ItemProduct.make_due`, `SyncRun.queue` and
    `jobs.later`, as a function of the database: a webhook is answered after it, and each statement
    waits for its turn beside the worker's threads. Errors: `NotFoundError` where the Item was removed
    in this moment.
    """
    session.flush()
    asked = {
        "item_id": item_id,
        "trigger": trigger,
        "at": clock.now(),
        "by_person": trigger == PERSON,
        "allow_removals": allow_removals,
        "asks_item": asks_item,
    }
    run_id: uuid.UUID | None = session.execute(_REQUEST, asked).scalar_one()
    if run_id is None:
        raise NotFoundError("The Item was removed in this moment.")
    return run_id


_REQUEST = text(
    "SELECT request_run(:item_id, :trigger, :at, :by_person, :allow_removals, :asks_item)"
)

"""Asks for a run of an Item: what is due, the run's row and the wake-up, in the caller's commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import ItemProduct, SyncRun
from bankloom.services import jobs

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

PERSON = "person"
"""The trigger of a run that somebody asked for; it does not use up the waits of the automatic ones."""


def request(session: Session, item_id: str, trigger: str, **wishes: bool) -> uuid.UUID:
    """Ask, in this session's commit, for a run of the Item that begins after it; return the run.

    The wishes are those of `SyncRun.queue`. Only a person's request tries a product without consent
    again: that may add it to the Item.
    """
    at = clock.now()
    ItemProduct.make_due(session, item_id, at, even_without_consent=trigger == PERSON)
    run_id = SyncRun.queue(session, item_id, trigger, at, **wishes)
    jobs.later(session, item_id)
    return run_id

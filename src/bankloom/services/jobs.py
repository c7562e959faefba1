"""The binding to the job engine: `later` wakes it for an Item. What is due lives in our tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_engine = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
"""Never opened: it only writes jobs over our own sessions' connections."""

SYNC_ITEM = "sync_item"


def later(session: Session, item_id: str) -> None:
    """Queue a run of the Item in this session's commit, unless one is waiting already.

    A job that waits has not read anything yet, so it does this work too. The savepoint is needed
    because the engine's refusal would otherwise abort the whole commit.
    """
    deferrer = _engine.configure_task(
        SYNC_ITEM,
        lock=item_id,
        queueing_lock=item_id,
        connection=session.connection().connection.driver_connection,
    )
    savepoint = session.begin_nested()
    try:
        deferrer.defer(item_id=item_id)
    except AlreadyEnqueued:
        savepoint.rollback()
    else:
        savepoint.commit()

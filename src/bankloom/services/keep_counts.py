"""Keeps what this process counts: adds it to the table that all processes share."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from bankloom.models import Counter

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
"""What a killed process has counted at most for nothing."""

LEAVE_SECONDS = 2.0


def now(runtime: Runtime) -> None:
    """Add to the table what was counted since the last time. Errors: those of the database.

    What can't be kept is counted again at the next time. Where the connection is lost at the very
    commit it may have been kept after all, and is then counted twice.
    """
    changes = runtime.counts.take()
    if not changes:
        return
    try:
        with runtime.database.session() as session:
            Counter.add(session, changes)
    except BaseException:
        runtime.counts.give_back(changes)
        raise


class CountsKeeper:
    """A thread that keeps the counts every few seconds and once more when it leaves."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="counts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._thread.join(LEAVE_SECONDS)

    def _keep(self) -> None:
        leaving = False
        while not leaving:
            leaving = self._leaving.wait(EVERY_SECONDS)
            try:
                now(self._runtime)
            except (SQLAlchemyError, psycopg.Error) as error:
                said = getattr(error, "orig", error)
                log.warning("The counts were not kept; the next try adds them: %s", said)
            except (
                Exception
            ):  # this thread lives as long as the process, whatever happens to the disk
                log.exception("The counts were not kept; the next try adds them")

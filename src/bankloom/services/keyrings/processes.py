"""Lets every process tell, while it lives, which data keys it holds; and reads them again meanwhile."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from bankloom.core.errors import ConfigurationError
from bankloom.models import Process, SealingKey
from bankloom.services.keyrings.open_keyring import refuse_to_seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
"""How long a rotation waits for a process to take up its key, at most."""

LEAVE_SECONDS = 2.0


class Announced:
    """A process that is known to others for the length of a block.

    Errors: `ConfigurationError` where a rotation has begun since the keyring was opened.
    """

    def __init__(self, runtime: Runtime, kind: str) -> None:
        self._runtime = runtime
        self._kind = kind
        self._id = uuid.uuid4()
        self._is_silent = False
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keys", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._announce()
        except (
            SQLAlchemyError
        ) as error:  # the database fell since it was opened: the thread goes on
            log.warning("Others are not told yet which keys this process holds: %s", error)
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

    def _announce(self) -> None:
        """Look and announce in one commit: a rotation comes before it, or counts with this process."""
        marks = self._runtime.keyring.marks
        process = Process(
            id=self._id,
            kind=self._kind,
            host=socket.gethostname(),
            pid=os.getpid(),
            keys=[str(mark) for mark in marks],
        )
        with self._runtime.database.session() as session:
            SealingKey.lock(session)
            refuse_to_seal(session, marks)
            Process.announce(session, process)

    def _keep(self) -> None:
        while not self._leaving.wait(EVERY_SECONDS):
            self._try(self._beat)
        self._try(self._leave)

    def _beat(self) -> None:
        keyring = self._runtime.keyring
        if keyring.reread is not None:
            keyring.reread()
        with self._runtime.database.session() as session:
            known = Process.beat(session, self._id, [str(mark) for mark in keyring.marks])
        if not known:  # it was frozen for so long that it was forgotten
            self._announce()

    def _leave(self) -> None:
        with self._runtime.database.session() as session:
            Process.leave(session, self._id)

    def _try(self, do: Callable[[], None]) -> None:
        """Do it; this thread lives as long as the process, whatever happens. Trouble is told once."""
        try:
            do()
        except (SQLAlchemyError, psycopg.Error, ConfigurationError) as error:
            if not self._is_silent:
                said = getattr(error, "orig", error)
                log.error("Others are not told which keys this process holds: %s", said)  # noqa: TRY400 - told whole
            self._is_silent = True
        except Exception:
            log.exception("Others are not told which keys this process holds")
        else:
            self._is_silent = False

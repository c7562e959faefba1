"""Joins the server of a data folder, starting it where needed, and leaves it."""

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bankloom.core.embedded_postgres import account, binaries, locks, service_role, succession
from bankloom.core.embedded_postgres.creation import SUPERUSER
from bankloom.core.embedded_postgres.errors import NotStartedError, RefusedError
from bankloom.core.embedded_postgres.folder import DataFolder, Passwords
from bankloom.core.embedded_postgres.home import STATE_DIR
from bankloom.core.embedded_postgres.notes import make_notes
from bankloom.core.embedded_postgres.patience import Patience
from bankloom.core.embedded_postgres.programs import Programs
from bankloom.core.embedded_postgres.server import Server


class EmbeddedPostgres:
    """A PostgreSQL server in a data folder, shared by every process that uses it.

    `durable=False` trades safety against power loss for speed, for tests; it takes effect in the
    process that starts the server, not in those that join. One object may serve many threads.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._folder = DataFolder(data_dir.resolve())
        self._durable = durable
        self._mutex = threading.RLock()
        self._membership: int | None = None  # the descriptor of `users.lock`, while we are a user
        self._started: _Started | None = None

    def start(self) -> Self:
        """Join the running server, or start it; the first time, create the cluster.

        Raises EmbeddedPostgresError, one class for each thing that a person has to set right.
        """
        with self._mutex, self._folder.usable():
            self._start()
        return self

    def ensure_running(self) -> None:
        """Start the server again if it died. Cheap while it lives; needs `start` first."""
        if self._joined().server.is_ready():
            return
        with self._mutex:
            self._joined()
            self.start()

    def stop(self) -> None:
        """Leave the server; the last user out stops it. The end of the process does the same."""
        atexit.unregister(self.stop)
        with self._mutex:
            if self._membership is None:
                return
            if not self._folder.home.exists():
                self._leave()  # PostgreSQL ends by itself within a minute of losing its files
                return
            with locks.exclusive(self._folder.start_lock, Patience(self._folder.log)):
                self._leave()
                self._shut_down_if_unused()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address (libpq URI, with password) of the service's own role and database."""
        return self._folder.url(
            service_role.ROLE, self._known().passwords.service, service_role.DATABASE
        )

    @property
    def admin_url(self) -> str:
        """Address of the superuser and its database, for tests and for looking after the server."""
        return self._folder.url(SUPERUSER, self._known().passwords.admin, "postgres")

    @property
    def bin_dir(self) -> Path:
        """The folder of psql, pg_dump and the others."""
        return self._known().programs.bin_dir

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about this database that a person should know, for the log and `doctor`."""
        return make_notes(self._folder, self._known().programs)

    def _start(self) -> None:
        self._folder.create()
        runner = account.choose(self._folder.cluster)
        programs = Programs(binaries.find(runner, STATE_DIR), runner)
        self._folder.settle(runner)
        with locks.exclusive(self._folder.start_lock, Patience(self._folder.log)):
            self._folder.claim()
            succession.finish(self._folder)
            self._started = self._prepare(programs)
            try:
                self._started.server.bring_up(self._started.passwords)
                service_role.create_missing(self.admin_url, self._started.passwords.service)
            except (KeyboardInterrupt, RefusedError):
                self._shut_down_if_unused()
                raise
            if self._membership is None:
                atexit.register(self.stop)  # for a Ctrl-C before the caller holds what was started
                self._membership = locks.share(self._folder.users_lock)

    def _prepare(self, programs: Programs) -> "_Started":
        """Find out what is there, before anything is started."""
        server = Server(self._folder, programs, durable=self._durable)
        server.check_version()
        return _Started(programs, server, self._folder.passwords())

    def _leave(self) -> None:
        if self._membership is not None:
            os.close(self._membership)
            self._membership = None

    def _shut_down_if_unused(self) -> None:
        if locks.is_free(self._folder.users_lock):
            self._known().server.shut_down()

    def _joined(self) -> "_Started":
        if self._membership is None:
            raise NotStartedError("Call start() first.")
        return self._known()

    def _known(self) -> "_Started":
        if self._started is None:
            raise NotStartedError("Call start() first.")
        return self._started


@dataclass(frozen=True)
class _Started:
    """What `start` has found out and the other calls rely on."""

    programs: Programs
    server: Server
    passwords: Passwords

"""Brings up the server of one cluster and shuts it down."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from psycopg import pq

from bankloom.core.embedded_postgres import locks, tuning
from bankloom.core.embedded_postgres.binaries import MAJOR
from bankloom.core.embedded_postgres.creation import create_cluster, remove_unfinished
from bankloom.core.embedded_postgres.errors import (
    OtherMajorError,
    StartFailedError,
    StopFailedError,
)
from bankloom.core.embedded_postgres.folder import DataFolder, Passwords
from bankloom.core.embedded_postgres.patience import POLL_S, Patience
from bankloom.core.embedded_postgres.pid_file import PidFile, end_processes_in
from bankloom.core.embedded_postgres.programs import Inheritance, Programs
from bankloom.core.embedded_postgres.socket_folder import SOCKET_NAME

FAST_STOP_S_MAX = 30.0
IMMEDIATE_STOP_S_MAX = 10.0
PING_S_MAX = 2


class Server:
    """The server of one cluster. Whoever changes it must hold `start.lock`.

    `settings` are PostgreSQL's, beside those that every server of ours has.
    """

    def __init__(
        self,
        folder: DataFolder,
        programs: Programs,
        *,
        durable: bool,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._programs = programs
        self._durable = durable
        self._settings = settings or {}

    def check_version(self) -> None:
        """Refuse a cluster of another major version, before anything is changed."""
        found = self._folder.major
        if found in {None, str(MAJOR)}:
            return
        older = found.isdecimal() and int(found) < MAJOR
        raise OtherMajorError(
            f"The database in {self._folder.cluster} was made by PostgreSQL {found}, and this "
            f"program brings PostgreSQL {MAJOR}. Nothing was changed. "
            + (
                "Run `bankloom db upgrade`."
                if older
                else "Install the version of Bankloom that made it, or a newer one."
            )
        )

    def is_ready(self) -> bool:
        """Whether the server takes connections; asked without a password, in about 2 ms."""
        return ping(self._folder.socket_folder) == pq.Ping.OK

    def bring_up(self, passwords: Passwords) -> None:
        """Wait until the server answers; start it where there is none."""
        patience = Patience(self._folder.log)
        log_begins_at: int | None = None
        while not (self._pid_file().says_ready and self.is_ready()):
            if not locks.is_free(self._folder.server_lock):
                self._help_along()
                patience.wait("the server is not ready yet")
            elif log_begins_at is None:
                log_begins_at = self._folder.rotate_log()
                self._launch(passwords)
            else:
                quoted = passwords.hide_in(self._folder.quote_log(log_begins_at))
                raise StartFailedError(f"The embedded PostgreSQL did not start. {quoted}")

    def shut_down(self) -> None:
        """Stop the server and wait for its last process. What was committed is kept."""
        steps = ((signal.SIGINT, FAST_STOP_S_MAX), (signal.SIGQUIT, IMMEDIATE_STOP_S_MAX))
        for stop_signal, wait_s in steps:
            self._pid_file().signal_server(stop_signal)
            if self._is_gone_within(wait_s):
                return
        raise StopFailedError(
            f"The embedded PostgreSQL in {self._folder.cluster} does not stop. "
            f"Its log is {self._folder.log}."
        )

    def _is_gone_within(self, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if locks.is_free(self._folder.server_lock):
                return True
            time.sleep(POLL_S)
        return False

    def _pid_file(self) -> PidFile:
        return PidFile.read(self._folder.cluster)

    def _help_along(self) -> None:
        """Clear away a server that cannot become ready, and what a dead one left running."""
        pid_file = self._pid_file()
        if pid_file.says_ready and not self._socket_path.exists():
            self.shut_down()  # someone tidied its socket away: it runs, but out of reach
        elif pid_file.says_ready and not pid_file.server_lives():
            end_processes_in(self._folder.cluster)

    @property
    def _socket_path(self) -> Path:
        return self._folder.socket_folder / SOCKET_NAME

    def _launch(self, passwords: Passwords) -> None:
        """Start the server, in a new cluster if there is none yet. All its processes hold a lock."""
        with (
            locks.exclusive(self._folder.server_lock, Patience(self._folder.log)) as lock,
            self._folder.open_log() as log,
        ):
            inherits = Inheritance(lock, log)
            remove_unfinished(self._folder)
            if not self._folder.cluster.exists():
                create_cluster(
                    self._folder, self._programs, passwords.admin, inherits, durable=self._durable
                )
                remove_unfinished(self._folder)
            self._remove_traces()
            self._programs.launch("postgres", self._arguments(), inherits)

    def _arguments(self) -> list[str | Path]:
        socket_folder = self._folder.make_socket_folder(self._programs.account)
        settings = tuning.as_arguments(socket_folder, self._settings, durable=self._durable)
        return ["-D", self._folder.cluster, *settings]

    def _remove_traces(self) -> None:
        """Remove what a dead server left.

        We hold `server.lock`, so it is dead, and so are all its children. PostgreSQL itself would
        go by the process id, which another may have by now.
        """
        socket_lock = self._socket_path.with_name(f"{SOCKET_NAME}.lock")
        for path in (self._folder.cluster / "postmaster.pid", self._socket_path, socket_lock):
            path.unlink(missing_ok=True)


def ping(socket_folder: Path) -> int:
    """Ask whether a server answers at a socket: one of psycopg's `pq.Ping`."""
    address = f"postgresql:///postgres?host={quote(str(socket_folder))}&port=5432"
    return pq.PGconn.ping(f"{address}&connect_timeout={PING_S_MAX}".encode())

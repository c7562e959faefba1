"""The files of the data folder: what lies where, and who may read it.

The data folder itself holds what only users of the database need (passwords, log). The cluster, its
locks and its socket lie in `home`: the data folder, or where the server's account cannot reach
that, a folder below `/var/lib/bankloom`.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from bankloom.core import private_files
from bankloom.core.data_dir import unusable
from bankloom.core.embedded_postgres import home, locks, socket_folder
from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.errors import StartFailedError, UnreachableFolderError

LOG_BYTES_MAX = 10_000_000
LOG_LINES_QUOTED = 15


@dataclass(frozen=True)
class Passwords:
    """The passwords of the cluster's superuser and of the service's own role."""

    admin: str
    service: str

    def hide_in(self, text: str) -> str:
        """Return the text without them, for messages."""
        return text.replace(self.admin, "***").replace(self.service, "***")


class DataFolder:
    """The paths below one data folder, and the few small files kept there.

    `sockets` is where the server's socket lies, if not where everybody looks for it.
    """

    def __init__(self, path: Path, *, sockets: Path | None = None) -> None:
        self.path = path
        self._sockets = sockets
        self.home = path  # until `create` and `settle` have looked
        self.log = path / "postgres.log"
        self._passwords = path / "passwords.json"

    @property
    def cluster(self) -> Path:
        """What PostgreSQL itself calls the data directory."""
        return self.home / "cluster"

    @property
    def major(self) -> str | None:
        """The major version that made the cluster, as PostgreSQL noted it; None without a cluster."""
        if not self.cluster.exists():
            return None
        version_file = self.cluster / "PG_VERSION"
        return version_file.read_text().strip() if version_file.exists() else "an unknown version"

    @property
    def start_lock(self) -> Path:
        """The lock of who starts or stops the server; like the others, beside what it guards."""
        return self.home / "start.lock"

    @property
    def users_lock(self) -> Path:
        """The lock of those who use the server."""
        return self.home / "users.lock"

    @property
    def server_lock(self) -> Path:
        """The lock of the server and its children."""
        return self.home / "server.lock"

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket."""
        return socket_folder.find(self._sockets or self.path, self._sockets or self.home)

    def url(self, role: str, password: str, database: str) -> str:
        """Return the address (libpq URI) of a database of the server, by its socket.

        It names the port as well: PGPORT in the environment would otherwise win.
        """
        socket = quote(str(self.socket_folder))
        return f"postgresql://{role}:{password}@/{database}?host={socket}&port=5432"

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Say in a sentence why the folder can't be used. Errors: `UnreachableFolderError`."""
        try:
            yield
        except OSError as error:
            raise UnreachableFolderError(self._explain(error)) from error

    def _explain(self, error: OSError) -> str:
        if isinstance(error, PermissionError):
            return (
                f"{error.filename or self.path} belongs to another account. Use the account that "
                "started the database, or set BANKLOOM_DATA_DIR to a folder of your own."
            )
        return unusable(self.path, error)

    def create(self) -> None:
        """Make the folder, and those above it, where they are missing; leave others as they are.

        Root's folders let other accounts pass, not look: the server is one of them. What lies in
        there and is secret has a mode of its own.
        """
        mode = 0o711 if os.geteuid() == 0 else 0o700
        for folder in (*reversed(self.path.parents), self.path):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(mode)
        self.home = home.find(self.path)

    def settle(self, account: Account) -> None:
        """Decide where the cluster lies, the first time, and check that `account` reaches it."""
        self.home = home.settle(self.path, account)

    def claim(self) -> None:
        """Make sure that cluster and socket are of this folder, not of one it was copied from.

        Only called under `start.lock`. A folder whose server runs was not copied just now, even if
        it goes by another name today (a mount).
        """
        home.claim(self.path, self.home)
        if locks.is_free(self.server_lock):
            socket_folder.forget_another_ones(self.path)

    def make_socket_folder(self, account: Account) -> Path:
        """Make a folder of 0700 for the socket."""
        return socket_folder.make(self._sockets or self.path, self._sockets or self.home, account)

    def passwords(self) -> Passwords:
        """Read the passwords; they are made, before anything else, when there is no cluster."""
        try:
            return Passwords(**json.loads(self._passwords.read_text()))
        except FileNotFoundError:
            if self.cluster.exists():
                raise StartFailedError(
                    f"{self._passwords} is missing, so nobody can enter the database next to it. "
                    "Restore that file from a backup."
                ) from None
        made = {"admin": secrets.token_urlsafe(24), "service": secrets.token_urlsafe(24)}
        private_files.write(self._passwords, json.dumps(made))
        return Passwords(**made)

    def take_passwords_of(self, other: Self) -> None:
        """Make the passwords of another data folder those of this one, before it has a cluster."""
        private_files.write(self._passwords, other._passwords.read_text())

    def rotate_log(self) -> int:
        """Keep the log, and one before it, at a size a person can open; return its size in bytes.

        Called while no server runs, so nobody writes to it.
        """
        size_bytes = self.log.stat().st_size if self.log.exists() else 0
        if size_bytes <= LOG_BYTES_MAX:
            return size_bytes
        self.log.replace(self.log.with_suffix(".log.1"))
        return 0

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """Open the log for programs to write to; it is private, since queries may stand in it."""
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def quote_log(self, begins_at_byte: int) -> str:
        """Return the last lines of the log, of those after a place in it."""
        with self.log.open("rb") as log:
            log.seek(begins_at_byte)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join([f"The end of {self.log} says:", *lines[-LOG_LINES_QUOTED:]])

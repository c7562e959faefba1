"""The files of the data folder: what lies where, and who may read it.

The data folder itself holds what only users of the database need (locks, passwords, log). The
cluster and the socket belong to the account of the server and lie in `home`: the data folder, or
where that account cannot reach it, a folder below `/var/lib/bankloom` that the data folder names.
"""

import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.errors import StartFailedError, UnreachableFolderError

STATE_DIR = Path("/var/lib/bankloom")
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 100  # the kernel's own limit is 107 on Linux, 103 on macOS
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
    """The paths below one data folder, and the few small files kept there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start_lock = path / "start.lock"
        self.users_lock = path / "users.lock"
        self.server_lock = path / "server.lock"
        self.log = path / "postgres.log"
        self._passwords = path / "passwords.json"
        self._home_record = path / "home.txt"
        self._socket_record = path / "socket.txt"

    @property
    def home(self) -> Path:
        """The folder that holds the cluster."""
        return _read_path(self._home_record) or self.path

    @property
    def cluster(self) -> Path:
        """What PostgreSQL itself calls the data directory."""
        return self.home / "cluster"

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket; recorded where it is not in `home`, so all find the same."""
        return _read_path(self._socket_record) or self.home / "run"

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

    def settle(self, account: Account) -> None:
        """Decide where the cluster lies, the first time, and check that `account` reaches it."""
        if account.reaches(self.home):
            return
        if self.cluster.exists():
            raise UnreachableFolderError(
                f"{account.name}, the account that runs PostgreSQL, cannot reach its data in "
                f"{self.cluster}. Let others pass through every folder above it (chmod o+x)."
            )
        clusters = STATE_DIR / "clusters"
        clusters.mkdir(mode=0o755, parents=True, exist_ok=True)
        home = Path(tempfile.mkdtemp(dir=clusters, prefix=f"{self.path.name}-"))
        home.chmod(0o711)
        (home / "data_folder.txt").write_text(f"{self.path}\n")  # for a person who tidies up
        _write_private(self._home_record, f"{home}\n")

    def make_socket_folder(self, account: Account) -> Path:
        """Make a folder of 0700 for the socket; in the temporary folder where `home` cannot do.

        It cannot when its path is too long for a socket, or its disk keeps no modes.
        """
        folder = self.socket_folder
        if _fits(folder) and not os.path.lexists(folder):
            account.make_private_folder(folder)
        if not _fits(folder) or not _is_private(folder, account):
            folder = _make_temporary_folder()
            account.give(folder)
            _write_private(self._socket_record, f"{folder}\n")
        return folder

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
        _write_private(self._passwords, json.dumps(made))
        return Passwords(**made)

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


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_path(record: Path) -> Path | None:
    try:
        return Path(record.read_text().removesuffix("\n"))
    except FileNotFoundError:
        return None


def _write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that is there whole or not at all, even after a loss of power."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    sync_folder(path.parent)


def _fits(folder: Path) -> bool:
    """Whether a socket can lie there: a short path, without the comma that lists of paths use."""
    path = os.fsencode(folder / SOCKET_NAME)
    return len(path) <= SOCKET_PATH_BYTES_MAX and b"," not in path and b'"' not in path


def _make_temporary_folder() -> Path:
    """Make a folder with a name that nobody can guess and occupy beforehand.

    Not below XDG_RUNTIME_DIR: that is emptied at log-out, under a service that runs on.
    """
    return Path(tempfile.mkdtemp(prefix="bankloom-"))


def _is_private(folder: Path, account: Account) -> bool:
    """Whether this is a real folder (no link) of the account's own that no other can enter."""
    found = folder.lstat()
    closed = stat.S_IMODE(found.st_mode) & 0o077 == 0
    return stat.S_ISDIR(found.st_mode) and closed and found.st_uid == account.uid

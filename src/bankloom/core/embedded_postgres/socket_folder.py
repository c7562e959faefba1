"""The folder of the server's socket: in the cluster's home, or where that can't be, a temporary one.

A temporary one is recorded in `socket.txt` of the data folder, so that all processes find the same.
The record's second line is the data folder it was made for: a copy of the data folder brings the
record along, and would share its socket with the original.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from bankloom.core import private_files
from bankloom.core.embedded_postgres.account import Account

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 100  # the kernel's own limit is 107 on Linux, 103 on macOS
_RECORD = "socket.txt"


def find(data_folder: Path, home: Path) -> Path:
    """Return the folder that is recorded, else the one in the home."""
    recorded = _read(data_folder)
    return recorded[0] if recorded else home / "run"


def forget_another_ones(data_folder: Path) -> None:
    """Drop a record that came along from elsewhere. Only called while no server runs.

    Where the data folder was moved, not copied, nobody else needs the socket's folder.
    """
    recorded = _read(data_folder)
    if recorded is None or recorded[1] == str(data_folder):
        return
    (data_folder / _RECORD).unlink()
    if not Path(recorded[1]).exists():
        with suppress(OSError):
            recorded[0].rmdir()


def make(data_folder: Path, home: Path, account: Account) -> Path:
    """Make a folder of 0700 for the socket; in the temporary folder where `home` cannot do.

    It cannot when its path is too long for a socket, or its disk keeps no modes.
    """
    folder = find(data_folder, home)
    if _fits(folder) and not os.path.lexists(folder):
        account.make_private_folder(folder)
    if not _fits(folder) or not _is_private(folder, account):
        folder = _make_temporary_folder()
        account.give(folder)
        private_files.write(data_folder / _RECORD, f"{folder}\n{data_folder}")
    return folder


def _read(data_folder: Path) -> tuple[Path, str] | None:
    """Return the recorded folder and the data folder that it was made for."""
    try:
        folder, _, made_for = (data_folder / _RECORD).read_text().partition("\n")
    except FileNotFoundError:
        return None
    return Path(folder), made_for


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

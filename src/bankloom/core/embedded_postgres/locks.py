"""Three file locks that say who uses the server, who may start or stop it, and whether it lives.

They lie beside the cluster that they guard, whichever data folder names it.

- `start.lock`, exclusive: held while a process starts, joins, leaves or stops the server.
- `users.lock`, shared: held by every process that uses the server. Free means the last one left.
- `server.lock`, exclusive: inherited by the server and all its children. Free means that not one
  of them is left, which no process id can say: ids are reused, and a zombie still has one.

All are `flock` locks: they belong to the open file, pass to children and end with the last of them.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bankloom.core.embedded_postgres.patience import Patience

if sys.platform != "win32":
    import fcntl


@contextmanager
def exclusive(path: Path, patience: Patience) -> Iterator[int]:
    """Hold the lock at `path`, waiting for it no longer than `patience` lasts."""
    descriptor = _open(path)
    try:
        while not _try(descriptor, fcntl.LOCK_EX):
            patience.wait(f"another process holds {path}")
        yield descriptor
    finally:
        os.close(descriptor)


def share(path: Path) -> int:
    """Take the lock at `path` together with others; close the descriptor to let go.

    Only called under `start.lock`, where nobody holds it exclusively: it never waits.
    """
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_free(path: Path) -> bool:
    """Whether no process holds the lock at `path`."""
    descriptor = _open(path)
    try:
        return _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

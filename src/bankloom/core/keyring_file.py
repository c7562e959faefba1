"""The keyring's file: an entry a line; changed as a whole, by one process at a time, never in between."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bankloom.core import data_dir, private_files
from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import INDEX_KEY_NAME, Keyring, fresh_entry

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "keyring"


@dataclass(frozen=True)
class KeyringFile:
    """The file of that name in the data folder; every method may raise `ConfigurationError`."""

    path: Path

    @classmethod
    def of(cls, folder: Path) -> KeyringFile:
        """Return the file of a data folder."""
        return cls(folder / NAME)

    def read(self) -> Keyring:
        """Read it."""
        with data_dir.opened(self.path.parent):
            return Keyring.parse(self._text())

    def read_or_create(self) -> Keyring:
        """Read it; make it with fresh keys where there is none."""
        with data_dir.opened(self.path.parent):
            return Keyring.load_or_create(self.path)

    def state(self) -> object:
        """Return what changes whenever the file does; None where there is no file."""
        try:
            told = self.path.stat()
        except OSError:
            return None
        return told.st_ino, told.st_mtime_ns, told.st_size

    def add(self, name: str) -> None:
        """Add a fresh key behind all others: it opens, and does not seal."""
        fresh = fresh_entry(name)
        self._change(lambda entries: [*_without(entries, name, may_be_there=False), fresh])

    def put_first(self, name: str) -> None:
        """Let this key seal from now on."""
        self._change(lambda entries: [_entry(entries, name), *_without(entries, name)])

    def remove(self, name: str) -> None:
        """Forget this key."""
        self._change(lambda entries: _without(entries, _entry(entries, name).partition(":")[0]))

    def _change(self, change: Callable[[list[str]], list[str]]) -> None:
        with data_dir.opened(self.path.parent), _locked(self.path.parent):
            entries = [
                entry.strip()
                for entry in self._text().replace("\n", ",").split(",")
                if entry.strip()
            ]
            text = "\n".join(change(entries)) + "\n"
            Keyring.parse(text)
            private_files.write(self.path, text)

    def _text(self) -> str:
        # What is no ASCII is not ours; whoever parses the text says so better than a decoder does.
        return self.path.read_text(encoding="ascii", errors="replace")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the file, which is replaced, and so can't be locked itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _entry(entries: list[str], name: str) -> str:
    found = [entry for entry in entries if entry.startswith(f"{name}:")]
    if not found or name == INDEX_KEY_NAME:
        raise ConfigurationError(f"The keyring file has no data key '{name}'. Nothing was changed.")
    return found[0]


def _without(entries: list[str], name: str, *, may_be_there: bool = True) -> list[str]:
    others = [entry for entry in entries if not entry.startswith(f"{name}:")]
    if len(others) < len(entries) and not may_be_there:
        raise ConfigurationError(
            f"The keyring file has a key '{name}' already. Choose another name; nothing was changed."
        )
    return others

"""Small files that are private: whole or not at all, even after a loss of power, and of mode 0600."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def read_or_create(path: Path, fresh: str) -> str:
    """Return the file's text; where there is no file, make it with `fresh`.

    Of two processes that start at once, one makes the file and both read it.
    """
    if not path.exists():
        write_first(path, fresh)
    # What is no ASCII is not ours; whoever parses the text says so better than a decoder does.
    return path.read_text(encoding="ascii", errors="replace")


def write(path: Path, text: str) -> None:
    """Write a file in place of what was there."""
    _write_beside(path, text).replace(path)
    sync_folder(path.parent)


def write_first(path: Path, text: str) -> bool:
    """Write a file where there is none; say whether it was us who wrote it."""
    written = _write_beside(path, text)
    try:
        os.link(written, path)
    except FileExistsError:
        return False  # another process was first, and what it wrote stands
    finally:
        written.unlink()
    sync_folder(path.parent)
    return True


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)

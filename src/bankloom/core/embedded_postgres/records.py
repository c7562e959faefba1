"""Small files that name folders: there whole or not at all, even after a loss of power."""

import os
import tempfile
from pathlib import Path


def read_path(record: Path) -> Path | None:
    """Read the path that a record holds; None where there is no record."""
    try:
        return Path(record.read_text().removesuffix("\n"))
    except FileNotFoundError:
        return None


def write(record: Path, text: str) -> None:
    """Write a file of mode 0600 in place of what was there."""
    _write_beside(record, text).replace(record)
    sync_folder(record.parent)


def write_first(record: Path, text: str) -> bool:
    """Write a file of mode 0600 where there is none; say whether it was us who wrote it."""
    written = _write_beside(record, text)
    try:
        os.link(written, record)
    except FileExistsError:
        return False
    finally:
        written.unlink()
    sync_folder(record.parent)
    return True


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(record: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", dir=record.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)

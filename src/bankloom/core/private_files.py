"""Small files with secrets in them: never seen half written, never readable by others."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_or_create(path: Path, fresh: str) -> str:
    """Return the file's text; where there is no file, make it with `fresh` and mode 0600.

    Of two processes that start at once, one makes the file and both read it.
    """
    if not path.exists():
        _create(path, fresh)
    # What is no ASCII is not ours; whoever parses the text says so better than a decoder does.
    return path.read_text(encoding="ascii", errors="replace")


def _create(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return  # another process was first, and what it wrote stands
    finally:
        temporary.unlink()

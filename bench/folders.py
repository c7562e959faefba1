"""A new folder for each measurement, removed with all that is in it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def new_folder() -> Iterator[Path]:
    """Give a folder that others pass through.

    Where root measures, the server is another account, and puts a cluster that it can't reach
    elsewhere, for good.
    """
    with tempfile.TemporaryDirectory(prefix="bankloom-bench-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        yield folder

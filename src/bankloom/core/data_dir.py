"""The data folder: made where it is missing; what keeps it from us is said in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened(data_dir: Path) -> Iterator[Path]:
    """Give the folder to work with the files in it. Errors: `ConfigurationError`."""
    try:
        # Others may pass through, not look in: as root, the database runs as another user.
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield data_dir
    except OSError as error:
        raise ConfigurationError(unusable(data_dir, error)) from error


def unusable(data_dir: Path, error: OSError) -> str:
    """Say why the folder can't be used, and what to do."""
    reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
    return (
        f"The data folder {data_dir} can't be used: {reason or error} "
        f"({error.filename or data_dir}). Mend that, or set BANKLOOM_DATA_DIR to another folder."
    )

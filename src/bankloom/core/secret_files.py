"""Mounted secret files: a folder with one file a secret, as Docker, Kubernetes and systemd mount them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_settings import SecretsSettingsSource, SettingsError

from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from pydantic_settings import BaseSettings

FILE_BYTES_MAX = 65_536
"""More than any secret has; something else was mounted under its name."""


def read(folder: Path, variables: type[BaseSettings]) -> dict[str, Any]:
    """Return what the folder's files hold, by variable; upper or lower case is the same.

    Errors: `ConfigurationError`, with what keeps which file from being read.
    """
    try:
        for file in _of(folder, variables.model_fields):
            _check(folder, file)
        return SecretsSettingsSource(variables, folder)()
    except (OSError, SettingsError) as error:
        raise ConfigurationError(
            f"The secret files in {folder} can't be read: {_why(error)}. Mend what is mounted there."
        ) from None


def _why(error: OSError | SettingsError) -> str:
    """Say what keeps a file from being read; pydantic-settings wraps it up."""
    cause = error.__cause__ if isinstance(error, SettingsError) else error
    if isinstance(cause, OSError):
        return f"{cause.strerror} ({cause.filename})"
    return "what is in one of them is no text in UTF-8"


def marks(paths: Iterable[Path], names: Collection[str]) -> tuple[object, ...]:
    """Return when each file was written, and which it is; a folder means its files of these names."""
    return tuple(mark for path in paths for mark in _marks(path, names))


def _marks(path: Path, names: Collection[str]) -> Iterator[object]:
    try:
        files = sorted(_of(path, names)) if path.is_dir() else [path]
        for file in files:
            told = file.stat()
            yield file.name, told.st_mtime_ns, told.st_ino, told.st_size
    except OSError as error:
        yield error.errno  # it is not there, or just being replaced


def _of(folder: Path, names: Collection[str]) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if entry.name.upper() in names)


def _check(folder: Path, file: Path) -> None:
    """Refuse what pydantic-settings would leave out with a mere warning, or read without a bound."""
    if not file.is_file():
        raise ConfigurationError(
            f"{file} is not a file, so it gives no secret. Mount a file there."
        )
    if folder.resolve() not in file.resolve().parents:
        raise ConfigurationError(
            f"{file} leads out of {folder}, so it is not read. Put the file itself there, or a link "
            "to one in that folder."
        )
    if file.stat().st_size > FILE_BYTES_MAX:
        raise ConfigurationError(f"{file} is over {FILE_BYTES_MAX} bytes: that is no secret.")

"""What the doctor sees without a database: settings and their sources, the disk, the keyring file."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from bankloom.core import keyring_file
from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring_file import KeyringFile
from bankloom.services.doctor.findings import Finding, failed, failure, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.core.settings import Settings

GIB = 1024**3
DISK_GIB_LOW = 1.0
"""A first history of ten thousand transactions takes 20 MB, staging included."""

DISK_GIB_LAST = 0.1
PRIVATE = 0o077
"""The bits of a mode that let others in."""


def look(settings: Settings) -> Iterator[Finding]:
    """Look at what the settings name on this machine."""
    yield from _sources(settings)
    yield _credentials(settings)
    yield _disk(settings.data_dir)
    yield _keyring_file(settings)


def _sources(settings: Settings) -> Iterator[Finding]:
    for variable, source in settings.sources().items():
        seen = f"{variable} comes from {source}"
        if "untested" in source:
            yield warning("settings", seen, "No test of ours ran against that source: try it well.")
        else:
            yield ok("settings", seen)


def _credentials(settings: Settings) -> Finding:
    settings.plaid.require_credentials()
    place = f"{settings.plaid.env} at {settings.plaid.host}"
    if settings.plaid.base_url:
        return ok("settings", f"Plaid is {place}, which PLAID_BASE_URL names")
    return ok("settings", f"Plaid is {place}")


def _disk(folder: Path) -> Finding:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        seen = f"The data folder {folder} can't be used: nothing can be written to {there}"
        return failure("disk", seen, "Mend that, or set BANKLOOM_DATA_DIR to another folder.")
    free = shutil.disk_usage(there).free / GIB
    seen = f"{free:.1f} GiB are free where {folder} is"
    next_step = "Make room, or move BANKLOOM_DATA_DIR: a full disk stops the database."
    if free < DISK_GIB_LAST:
        return failure("disk", seen, next_step)
    return warning("disk", seen, next_step) if free < DISK_GIB_LOW else ok("disk", seen)


def _keyring_file(settings: Settings) -> Finding:
    """Tell where the keys are: whoever loses them links every bank anew."""
    if settings.encryption_keys:
        return ok("keys", "The keyring is BANKLOOM_ENCRYPTION_KEYS: keep a copy elsewhere")
    file = settings.data_dir / keyring_file.NAME
    if not file.exists():
        return warning("keys", f"There is no keyring yet at {file}", "The first start makes it.")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & PRIVATE:
        return failure("keys", f"Others may read {file} (mode {mode:o})", f"Run: chmod 600 {file}")
    try:
        KeyringFile(file).read()
    except ConfigurationError as error:
        return failed("keys", error)
    return ok("keys", f"The keyring is {file}: keep a copy of it elsewhere")

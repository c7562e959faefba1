"""A new cluster takes the place of an old one, and a crash at any point leaves either one or the other.

The new one is made in `upgrading`, beside the old one. Once it is whole, that folder is renamed to
`upgraded`: from this moment on it is the one that counts, and whoever starts next, finishes. The
old one is kept, under a name with its version and the moment.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from bankloom.core.embedded_postgres.folder import DataFolder
from bankloom.core.private_files import sync_folder

_UNFINISHED = "upgrading"
_WHOLE = "upgraded"


def place_of_new(folder: DataFolder) -> DataFolder:
    """Return the data folder to make the new cluster in: on the same disk, for renames."""
    return DataFolder(folder.home / _UNFINISHED)


def decide(folder: DataFolder) -> None:
    """Let the new cluster be the one that counts; its server must have stopped."""
    place_of_new(folder).path.rename(folder.home / _WHOLE)
    sync_folder(folder.home)
    finish(folder)


def finish(folder: DataFolder) -> None:
    """Put a new cluster that counts into its place. Only called under `start.lock`."""
    whole = folder.home / _WHOLE
    if not whole.exists():
        return
    new = whole / folder.cluster.name
    if new.exists():
        if folder.cluster.exists():
            folder.cluster.rename(place_of_old(folder, new))
        new.rename(folder.cluster)
        sync_folder(folder.home)
    shutil.rmtree(whole)


def place_of_old(folder: DataFolder, new_cluster: Path) -> Path:
    """Return where the old cluster is kept, by its version and the moment the new one was made."""
    made_at = datetime.fromtimestamp((new_cluster / "PG_VERSION").stat().st_mtime, UTC)
    return folder.home / f"{folder.cluster.name}-{folder.major}-{made_at:%Y%m%dT%H%M%SZ}"

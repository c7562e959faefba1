"""Makes a new cluster in such a way that a crash in between leaves nothing that looks like one."""

import os
import shutil
from pathlib import Path

from bankloom.core.embedded_postgres.errors import StartFailedError
from bankloom.core.embedded_postgres.folder import DataFolder
from bankloom.core.embedded_postgres.programs import Inheritance, Programs
from bankloom.core.private_files import sync_folder

SUPERUSER = "postgres"
_UNFINISHED = "creating"
# Text sorts by code point, the same on every machine and after every upgrade of its libraries,
# while upper and lower case are known for every language: C.UTF-8, built into PostgreSQL.
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def create_cluster(
    folder: DataFolder, programs: Programs, password: str, inherits: Inheritance, *, durable: bool
) -> None:
    """Make the cluster next to its place, then move it there whole."""
    unfinished = folder.home / _UNFINISHED
    programs.account.make_private_folder(unfinished)
    password_file = _write_for_initdb(unfinished / "password", password, programs)
    options = [
        f"--pgdata={unfinished / 'cluster'}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--no-instructions",
        *_LOCALE,
        *([] if durable else ["--no-sync"]),
    ]
    log_begins_at = os.fstat(inherits.log).st_size
    if programs.run("initdb", options, inherits) != 0:
        raise StartFailedError(f"initdb failed. {folder.quote_log(log_begins_at)}")
    (unfinished / "cluster").rename(folder.cluster)
    sync_folder(folder.home)


def remove_unfinished(folder: DataFolder) -> None:
    """Remove what a creation needed, or left when it was killed; a password is among it."""
    if (unfinished := folder.home / _UNFINISHED).exists():
        shutil.rmtree(unfinished)


def _write_for_initdb(path: Path, password: str, programs: Programs) -> Path:
    path.touch(mode=0o600)
    path.write_text(password)
    programs.account.give(path)
    return path

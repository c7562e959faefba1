"""The account of the operating system that the server runs under.

PostgreSQL refuses to run as root, so root runs it under another account: the one that owns the
data already, else a system user of our own, else `nobody`. A user of our own comes first because
`nobody` is shared: any other program that runs as `nobody` could read the data.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from bankloom.core.embedded_postgres.errors import UnreachableFolderError

if sys.platform != "win32":
    import pwd

SYSTEM_USER = "bankloom"


class ProcessOptions(TypedDict, total=False):
    """The keyword arguments of `subprocess.run` that change the account of a child."""

    user: int
    group: int
    extra_groups: list[int]


BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
"""For programs that are none of ours, some of which run as another account: our settings hold secrets."""


@dataclass(frozen=True)
class Account:
    """The account that runs the server; `borrowed` when it is not the one we run under."""

    name: str
    uid: int
    gid: int
    borrowed: bool

    @property
    def process_options(self) -> ProcessOptions:
        """What a child process needs to run under this account."""
        if not self.borrowed:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this account the owner of something we have just created."""
        if self.borrowed:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def make_private_folder(self, path: Path) -> None:
        """Create a folder that only this account (and root) can enter."""
        path.mkdir(mode=0o700)
        self.give(path)

    def reaches(self, path: Path) -> bool:
        """Whether this account can read `path`; asked as that account, since only that is sure."""
        if not self.borrowed:
            return True
        asked = subprocess.run(  # noqa: S603 - a fixed program, no text of a user is run
            [
                "/bin/sh",
                "-c",
                'if [ -d "$1" ]; then cd -- "$1"; else [ -r "$1" ]; fi',
                "sh",
                str(path),
            ],
            check=False,
            env=BARE_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self.process_options,
        )
        return asked.returncode == 0


def choose(existing_cluster: Path) -> Account:
    """Choose the account to run the server under, given where the data lies or will lie."""
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), borrowed=False)
    if existing_cluster.exists() and (owner := existing_cluster.stat()).st_uid != 0:
        return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid, borrowed=True)
    entry = _find(SYSTEM_USER) or _create(SYSTEM_USER) or _find("nobody")
    if entry is None:
        raise UnreachableFolderError(
            "PostgreSQL does not run as root, and this machine has no other account for it. "
            "Start as an ordinary user, or set BANKLOOM_DATABASE_URL."
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, borrowed=True)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _find(name: str) -> "pwd.struct_passwd | None":
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create(name: str) -> "pwd.struct_passwd | None":
    """Try to create a system user that nobody can log in as, and look whether it is there now."""
    if (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")) is not None:
        options = ["--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"]
        command = [useradd, *options, name]
        subprocess.run(command, check=False, capture_output=True, env=BARE_ENVIRONMENT)  # noqa: S603 - fixed arguments
    return _find(name)

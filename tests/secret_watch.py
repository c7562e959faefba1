"""Watches for secrets where none belong: collected from the traffic, sought in whatever is left behind."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

PLAID_TOKEN = re.compile(
    r"(?:access|public|link|processor|asset-report|user)-sandbox-[0-9a-f-]{36}"
)
SERVICE_KEY = re.compile(r"bl_[0-9a-f]{8}_[\w-]{20,}")
SIGN_IN_CODE = re.compile(r"once_[\w-]{40,}")
POSTGRES_PROGRAMS = {"postgres", "psql", "pg_dump", "pg_restore", "pg_ctl", "initdb"}
ANY_TOKEN = re.compile(rb"(?:access|public|link|processor)-sandbox-[0-9a-f]{8}-")
LOOKED_EVERY_SECONDS = 0.1


def secrets_in(texts: Iterable[str]) -> set[str]:
    """Return every token of Plaid's, and key and code of ours, that stands in these texts."""
    return {
        found
        for text in texts
        for kind in (PLAID_TOKEN, SERVICE_KEY, SIGN_IN_CODE)
        for found in kind.findall(text)
    }


def found_in(data: bytes, secrets: Iterable[str]) -> set[str]:
    """Return which of the secrets stand in these bytes."""
    return {secret for secret in secrets if secret.encode() in data}


def files_with(folder: Path, secrets: Iterable[str]) -> dict[str, set[str]]:
    """Return, of all files in a folder, which hold what; a token of Plaid's that nobody knows too."""
    told = {}
    for file in filter(Path.is_file, folder.rglob("*")):
        data = file.read_bytes()
        found = found_in(data, secrets)
        if b"-sandbox-" in data:
            found |= {token.decode() for token in ANY_TOKEN.findall(data)}
        if found:
            told[str(file.relative_to(folder))] = found
    return told


def below(pid: int) -> list[int]:
    """Return the processes that this one started, and those that they started."""
    children = [each for each in _processes() if _parent(each) == pid]
    return [*children, *(found for each in children for found in below(each))]


def working_in(folder: Path) -> list[int]:
    """Return the processes whose working folder is within this one, as a database server's is."""
    return [each for each in _processes() if folder in _link(each, "cwd").parents]


def told_to(pid: int) -> bytes:
    """Return the arguments and the environment of a process, nothing of one that is gone."""
    return _of(pid, "cmdline") + _of(pid, "environ")


class Arguments:
    """Within its block, what every process of this machine is told, looked at again and again.

    `seen` are the arguments of all, `environments` what PostgreSQL's programs are told besides.
    """

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.environments: dict[str, set[bytes]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="look-at-arguments")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOKED_EVERY_SECONDS):
            for pid in _processes():
                self.seen.add(_of(pid, "cmdline"))
                if (program := _link(pid, "exe").name) in POSTGRES_PROGRAMS:
                    self.environments.setdefault(program, set()).add(_of(pid, "environ"))


def _processes() -> Iterator[int]:
    return (int(each) for each in os.listdir("/proc") if each.isdecimal())  # noqa: PTH208 - names only


def _parent(pid: int) -> int:
    status = _of(pid, "stat").rpartition(b")")[2].split()
    return int(status[1]) if status else 0


def _link(pid: int, name: str) -> Path:
    try:
        return Path(f"/proc/{pid}/{name}").readlink()
    except OSError:
        return Path()


def _of(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""

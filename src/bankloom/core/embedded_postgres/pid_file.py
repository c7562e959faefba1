"""Reads `postmaster.pid`, PostgreSQL's own note about its running server, and knows when it lies."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_STATE_LINE = 7


@dataclass(frozen=True)
class PidFile:
    """What the note says; a server that was killed leaves it behind."""

    cluster: Path
    lines: tuple[str, ...]

    @classmethod
    def read(cls, cluster: Path) -> Self:
        """Read the note of a cluster; without one, no lines."""
        try:
            text = (cluster / "postmaster.pid").read_text()
        except FileNotFoundError:
            text = ""
        return cls(cluster, tuple(text.splitlines()))

    @property
    def says_ready(self) -> bool:
        """Whether the server had finished starting when it last wrote."""
        return len(self.lines) > _STATE_LINE and self.lines[_STATE_LINE].strip() == "ready"

    def server_lives(self) -> bool:
        """Whether the process named is this cluster's server; believed where there is no /proc."""
        if not self.lines:
            return False
        try:
            command = (_PROC / str(int(self.lines[0])) / "cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:
            return not _PROC.joinpath("self").exists()
        return os.fsencode(self.cluster) in command

    def signal_server(self, which: signal.Signals) -> None:
        """Send the server a signal, if it lives."""
        if self.server_lives():
            _send(int(self.lines[0]), which)


def end_processes_in(cluster: Path) -> None:
    """End the children that a dead server left busy; idle ones have left by themselves.

    They are known by their working directory, which is the cluster. Where there is no /proc, one
    waits for them.
    """
    for process in _PROC.glob("[0-9]*"):
        try:
            ours = (process / "cwd").samefile(cluster)
        except OSError:  # it has ended, or is another account's
            continue
        if ours:
            _send(int(process.name), signal.SIGTERM)


def _send(pid: int, which: signal.Signals) -> None:
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return  # it ended by itself, which is what we want

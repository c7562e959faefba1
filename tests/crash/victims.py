"""What the crash test kills and starts again: the service, two workers, their embedded database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httpx
import psutil

from harness import API_KEY, Api, environment_for, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.core.settings import Settings

START_SECONDS_MAX = 90
"""An embedded database recovers within seconds; a machine that runs other tests beside takes longer."""

LEAVE_SECONDS_MAX = 30


class Victim(Protocol):
    """Something that can be killed."""

    name: str

    def kill(self) -> bool:
        """Kill it with SIGKILL; say whether it was alive."""
        ...


class Program:
    """A command of ours that is started again whenever it has ended, as any service manager would."""

    def __init__(self, name: str, arguments: list[str], settings: Settings, log: Path) -> None:
        self.name = name
        self.log = log
        self.exits: list[int] = []
        """How it ended when nobody had killed it."""
        self._command = [sys.executable, "-c", "from bankloom.cli import main; main()", *arguments]
        # Where one ends by itself with a fault of memory, its log is to say where that was.
        self._environment = {**os.environ, **environment_for(settings), "PYTHONFAULTHANDLER": "1"}
        self._start()

    def _start(self) -> None:
        with self.log.open("a") as file:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def revive(self) -> None:
        """Start it again if it has ended by itself."""
        if (code := self._process.poll()) is not None:
            self.exits.append(code)
            self._start()

    def kill(self) -> bool:
        """Kill it, and start it again at once; say whether it was alive."""
        self.revive()
        self._process.send_signal(signal.SIGKILL)
        if self._process.wait() != -signal.SIGKILL:
            self.exits.append(self._process.returncode)
            self._start()
            return False
        self._start()
        return True

    def leave(self) -> None:
        """Ask it to end for good."""
        self._process.terminate()

    def end(self) -> None:
        """End it for good, however."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE_SECONDS_MAX)
        self._process.kill()
        self._process.wait()


class Postmaster:
    """The embedded server's first process, known by the note that it leaves in its cluster."""

    name = "database"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._killed: set[tuple[int, float]] = set()

    def kill(self) -> bool:
        """Kill it; whoever uses it starts another. Say whether it was alive."""
        process = self._process()
        if process is None:
            return False
        life = (process.pid, process.create_time())
        if life in self._killed:
            return False
        process.kill()
        self._killed.add(life)
        return True

    def _process(self) -> psutil.Process | None:
        for note in self._data_dir.glob("postgres/**/postmaster.pid"):
            try:
                process = psutil.Process(int(note.read_text().split()[0]))
                if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
                    return process
            except (OSError, IndexError, ValueError, psutil.Error):
                continue  # it is being written, or is the note of a dead one
        return None


class Town(NamedTuple):
    """Everything that runs on one data folder."""

    api: Api
    programs: tuple[Program, ...]
    database: Postmaster

    @property
    def victims(self) -> tuple[Victim, ...]:
        """Whom to kill."""
        return (*self.programs, self.database)

    def is_up(self) -> bool:
        """Say whether the service answers and has a worker; start what has ended by itself."""
        for program in self.programs:
            program.revive()
        try:
            return self.api.get("/readyz").is_success
        except httpx.TransportError:
            return False


@contextmanager
def town(settings: Settings, port: int, folder: Path) -> Iterator[Town]:
    """Run a service at this port and two workers beside it, for the length of a block."""
    serve = ["serve", "--port", str(port)]
    commands = {"service": serve, "worker 1": ["worker"], "worker 2": ["worker"]}
    programs = [
        Program(name, arguments, settings, folder / f"{name}.log")
        for name, arguments in commands.items()
    ]
    api = Api(f"http://127.0.0.1:{port}", API_KEY)
    try:
        living = Town(api, tuple(programs), Postmaster(settings.data_dir))
        wait_until(living.is_up, START_SECONDS_MAX)
        yield living
    finally:
        for program in programs:
            program.leave()
        for program in programs:
            program.end()
        api.client.close()

"""The two programs behind the demo, as processes that end with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bankloom.cli import signals
from bankloom.core.errors import BankloomError
from bankloom.core.secrets import without_settings

if TYPE_CHECKING:
    from types import TracebackType

STOP_SECONDS = 20


class StartError(BankloomError):
    """A program of the demo did not start."""

    code = "demo_start"


class Program:
    """A program that announces its URL on stdout; a context manager that stops it at the end.

    `announcement` is what the line with the URL begins with; everything else goes to `log`.
    """

    def __init__(
        self, command: list[str], environment: dict[str, str], announcement: str, log: Path
    ) -> None:
        self._log = log
        # A process in its making is not ours to stop yet: a Ctrl-C has to wait for it.
        both = (signal.SIGINT, signal.SIGTERM)
        with log.open("a", encoding="utf-8") as log_file, signals.noted(*both) as interrupted:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                env=without_settings(os.environ) | environment,  # not a real installation's
                cwd=log.parent,  # where no .env of somebody's real settings lies
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log_file,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which stops them in order
            )
        try:
            _interrupt_if(interrupted)
            self.url = self._announced(announcement)
        except BaseException:  # Ctrl-C too: nobody else knows of this process yet
            self._stop()
            raise
        threading.Thread(target=self._drain, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Wait until the program ends by itself; return its exit code."""
        return self._process.wait()

    def _announced(self, announcement: str) -> str:
        for line in self._process.stdout or ():
            if line.startswith(announcement):
                return line.removeprefix(announcement).strip()
        code = self._process.wait()
        last = self._log.read_text(encoding="utf-8").strip().splitlines()[-3:]
        raise StartError(
            f"A program of the demo did not start (exit {code}). The end of {self._log}:\n"
            + "\n".join(last)
        )

    def _drain(self) -> None:
        for _line in self._process.stdout or ():
            pass  # what follows the announcement is for a terminal that nobody watches


def _interrupt_if(noted: list[int]) -> None:
    if noted:
        raise KeyboardInterrupt


def beside_python(name: str) -> str:
    """Return the path of a program of this environment. Errors: `StartError` if it is not there."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise StartError(
            f"The program '{name}' is not installed beside this Python. The demo needs it: "
            "pip install platypus-bank, or use `make demo` in a checkout."
        )
    return found

"""Runs PostgreSQL's programs under the server's account, with nothing of our surroundings in it."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bankloom.core.embedded_postgres.account import BARE_ENVIRONMENT, Account
from bankloom.core.embedded_postgres.errors import StartFailedError

RUN_S_MAX = 120.0  # initdb takes half a second; a slow disk is not a dead one


@dataclass(frozen=True)
class Inheritance:
    """The descriptors that a program and all its children keep open for as long as they live."""

    lock: int  # of `server.lock`
    log: int


@dataclass(frozen=True)
class Programs:
    """The folder of the programs and the account they run under."""

    bin_dir: Path
    account: Account

    def run(self, name: str, arguments: Sequence[str | Path], inherits: Inheritance) -> int:
        """Run a program to its end and return its exit code."""
        return self._run([self.bin_dir / name, *arguments], inherits)

    def launch(self, name: str, arguments: Sequence[str | Path], inherits: Inheritance) -> None:
        """Run a program in the background, as a child of init: we need not outlive it.

        The shell starts it and ends at once, so a server is nobody's zombie when it dies later.
        """
        shell = ("/bin/sh", "-c", '"$@" &', "sh")
        self._run([*shell, self.bin_dir / name, *arguments], inherits)

    def _run(self, command: Sequence[str | Path], inherits: Inheritance) -> int:
        try:
            return self._run_bounded(command, inherits)
        except subprocess.TimeoutExpired as error:
            raise StartFailedError(
                f"{command[0]} took longer than {RUN_S_MAX:.0f} s and was ended. "
                "Is the disk of the data folder working?"
            ) from error

    def _run_bounded(self, command: Sequence[str | Path], inherits: Inheritance) -> int:
        return subprocess.run(  # noqa: S603 - our own arguments; the shell's text above is fixed
            command,
            check=False,
            cwd="/",
            env=BARE_ENVIRONMENT,
            pass_fds=(inherits.lock,),
            start_new_session=True,  # Ctrl-C in the terminal is for the service, which then leaves
            stdin=subprocess.DEVNULL,
            stdout=inherits.log,
            stderr=inherits.log,
            timeout=RUN_S_MAX,
            umask=0o077,
            **self.account.process_options,
        ).returncode

"""PostgreSQL's pg_dump and pg_restore: which one fits, and run with the password out of sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bankloom.core.copy_errors import ProgramFailedError, ProgramMissingError
from bankloom.core.embedded_postgres import binaries
from bankloom.core.secrets import without_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bankloom.core.address import Address

END_SECONDS = 60
"""How long a program may take to end after its last output."""
LINES_QUOTED = 6
_TROUBLE = re.compile(r"\b(error|detail|hint|fatal):", re.IGNORECASE)


def nearest_dumper(server_version: int) -> Path:
    """Return the pg_dump nearest above a server (`server_version_num`): most tools read its files.

    Errors: `ProgramMissingError`.
    """
    fitting = _dumpers(server_version)
    return fitting[min(fitting)]


def newest_dumper(server_version: int) -> Path:
    """Return the newest pg_dump, whose SQL the newest servers take as well.

    Errors: `ProgramMissingError` where that is older than the server (`server_version_num`).
    """
    fitting = _dumpers(server_version)
    return fitting[max(fitting)]


def _dumpers(server_version: int) -> dict[int, Path]:
    major = server_version // 10_000
    fitting = {its: path for its, path in _installed("pg_dump").items() if its >= major}
    if not fitting:
        raise ProgramMissingError(
            f"The server is PostgreSQL {major}, and pg_dump of that version or a newer one is not "
            f"installed. Install the client programs of PostgreSQL {major} and let PATH name them."
        )
    return fitting


def restorer() -> Path:
    """Return the newest pg_restore, which reads what every older pg_dump wrote.

    Errors: `ProgramMissingError`.
    """
    installed = _installed("pg_restore")
    if not installed:
        raise ProgramMissingError(
            "pg_restore is not installed. Install PostgreSQL's client programs and let PATH name them."
        )
    return installed[max(installed)]


def _installed(name: str) -> dict[int, Path]:
    """Return the programs of this name by major version: the one of PATH, and the wheel's before it."""
    found: dict[int, Path] = {}
    if (in_path := shutil.which(name)) and (major := binaries.major_of(Path(in_path))):
        found[major] = Path(in_path)
    if bundled := binaries.bundled():
        found[binaries.MAJOR] = bundled / name
    return found


@contextmanager
def output_of(
    program: Path, arguments: list[str], address: Address | None = None
) -> Iterator[IO[bytes]]:
    """Give what a program writes, while it runs; it ends with the block.

    A block that misses the end of what it reads raises EOFError. Errors: `ProgramFailedError`.
    """
    with tempfile.TemporaryFile() as said:
        process = _start(program, arguments, address, stdout=subprocess.PIPE, stderr=said)
        with process as running:
            try:
                yield running.stdout  # type: ignore[misc]  # a pipe, as asked for
                code = running.wait(END_SECONDS)
            except EOFError:
                code = running.wait(END_SECONDS) or -1
            except BaseException:
                running.kill()
                raise
        if code:
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
            raise ProgramFailedError(_complaint(program, lines))


def run(program: Path, arguments: list[str], address: Address, tell: Callable[[str], None]) -> None:
    """Run a program to its end; `tell` gets each line that it says on stderr, as it is said.

    Errors: `ProgramFailedError`.
    """
    said: list[str] = []
    process = _start(program, arguments, address, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process as running:
        try:
            for line in running.stderr or ():
                text = line.decode(errors="replace").strip()
                tell(text)
                said = [*said[-LINES_QUOTED:], text]
        except BaseException:
            running.kill()
            raise
    if running.returncode:
        raise ProgramFailedError(_complaint(program, said))


def _start(
    program: Path,
    arguments: list[str],
    address: Address | None,
    *,
    stdout: int,
    stderr: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    # The password goes by the environment: arguments can be read by every user of the machine.
    environment = without_settings(os.environ) | {"LC_ALL": "C"}
    command = [str(program), *arguments]
    if address is not None:
        if password := address.parameters.get("password"):
            environment["PGPASSWORD"] = password
        command += ["--dbname", address.but(password=None).conninfo]
    return subprocess.Popen(  # noqa: S603 - PostgreSQL's own programs
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
    )


def _complaint(program: Path, said: list[str]) -> str:
    """Say what a program complained of, in its own words."""
    trouble = [line for line in said if _TROUBLE.search(line)] or said
    return f"{program.name} failed. " + " ".join(trouble[-LINES_QUOTED:])

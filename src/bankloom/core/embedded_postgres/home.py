"""Where the cluster lies, and which data folder it belongs to.

It lies in the data folder; where the server's account cannot reach that, in a folder below
`/var/lib/bankloom`. Then each names the other: `home.txt` in the data folder names the home, and
`data_folder.txt` in the home the data folder. A copy of the data folder names the home of the
original, and would write into its database; by the name that leads back it is told from it.
"""

import tempfile
from pathlib import Path

from bankloom.core import private_files
from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.errors import NoOwnClusterError, UnreachableFolderError

STATE_DIR = Path("/var/lib/bankloom")
_HOME_RECORD = "home.txt"
_OWNER_RECORD = "data_folder.txt"


def find(data_folder: Path) -> Path:
    """Return the home that the data folder names, else the data folder itself."""
    return _read(data_folder / _HOME_RECORD) or data_folder


def has_cluster(data_folder: Path) -> bool:
    """Say whether a database was ever made there, without making one."""
    return (find(data_folder) / "cluster" / "PG_VERSION").exists()


def settle(data_folder: Path, account: Account) -> Path:
    """Decide the home, the first time, and check that `account` reaches it.

    Of two processes that decide at once, the first one's decision stands. Errors:
    `NoOwnClusterError`, `UnreachableFolderError`.
    """
    home = find(data_folder)
    if not home.exists():
        raise NoOwnClusterError(
            f"{data_folder / _HOME_RECORD} says that the database is in {home}, and nothing is "
            "there. Put that folder back from the copy it was saved with, or write the path it "
            "has now into that file. Nothing was changed."
        )
    if account.reaches(home):
        return home
    if home != data_folder or (home / "cluster").exists():
        raise UnreachableFolderError(
            f"{account.name}, the account that runs PostgreSQL, cannot reach its data in "
            f"{home / 'cluster'}. Let others pass through every folder above it (chmod o+x)."
        )
    return _make(data_folder)


def claim(data_folder: Path, home: Path) -> None:
    """Refuse the home of another data folder; take over what a moved one left.

    Only called under the `start.lock` of the home. Errors: `NoOwnClusterError`.
    """
    if home == data_folder:
        return
    owner = _read(home / _OWNER_RECORD)
    if owner is not None and owner.exists() and owner.samefile(data_folder):
        return
    if owner is not None and _read(owner / _HOME_RECORD) == home:
        raise NoOwnClusterError(
            f"{data_folder} is a copy of {owner}, and both name the one database in {home}, which "
            f"belongs to {owner}. Nothing was changed. To use the copy beside it, stop what uses "
            f"{owner}, copy {home} too (cp -a), and write the path of that copy into "
            f"{data_folder / _HOME_RECORD}. To use it instead, move {owner} out of the way first."
        )
    private_files.write(home / _OWNER_RECORD, f"{data_folder}\n")


def _read(record: Path) -> Path | None:
    try:
        return Path(record.read_text().removesuffix("\n"))
    except FileNotFoundError:
        return None


def _make(data_folder: Path) -> Path:
    clusters = STATE_DIR / "clusters"
    clusters.mkdir(mode=0o755, parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=clusters, prefix=f"{data_folder.name}-"))
    home.chmod(0o711)
    owner = home / _OWNER_RECORD
    private_files.write(owner, f"{data_folder}\n")
    if not private_files.write_first(data_folder / _HOME_RECORD, f"{home}\n"):
        owner.unlink()
        home.rmdir()
    return find(data_folder)

"""Where the programs of an older major version are: in the wheel, or where a person says."""

from pathlib import Path

from bankloom.core.embedded_postgres import binaries
from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.binaries import MAJOR
from bankloom.core.embedded_postgres.errors import NoBinariesError, OtherMajorError
from bankloom.core.embedded_postgres.folder import DataFolder
from bankloom.core.embedded_postgres.home import STATE_DIR


def find(folder: DataFolder, runner: Account, named: Path | None) -> Path:
    """Find the programs of the version that made the cluster, as its account can run them.

    `named` is the folder that a person named, if any. Errors: `NoBinariesError`; `OtherMajorError`
    where that version is newer than ours.
    """
    major = folder.major or ""
    if not major.isdecimal() or int(major) > MAJOR:
        raise OtherMajorError(
            f"The database in {folder.cluster} was made by PostgreSQL {major}, and this program "
            f"brings PostgreSQL {MAJOR}: it can't go back. Nothing was changed."
        )
    if named is not None:
        return _checked(named, major, runner)
    if binaries.bundled(int(major)) is None:
        raise NoBinariesError(
            f"The database in {folder.cluster} was made by PostgreSQL {major}, whose programs are "
            "not bundled. Install that version and name the folder of its programs, as in: bankloom "
            f"db upgrade --old-bin-dir /usr/lib/postgresql/{major}/bin. Nothing was changed."
        )
    return binaries.find(runner, STATE_DIR, int(major))


def _checked(named: Path, major: str, runner: Account) -> Path:
    if (found := binaries.major_of(named / "postgres")) != int(major):
        holds = f"PostgreSQL {found}" if found else "no PostgreSQL server"
        raise NoBinariesError(
            f"{named} holds {holds}, and PostgreSQL {major} made the database. Nothing was changed."
        )
    if not runner.reaches(named / "postgres"):
        raise NoBinariesError(
            f"{runner.name}, the account that runs PostgreSQL, cannot reach {named}. Nothing was "
            "changed."
        )
    return named

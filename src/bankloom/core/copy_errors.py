"""What can go wrong when a database is dumped, restored, moved or upgraded."""

from bankloom.core.errors import BankloomError


class CopyError(BankloomError):
    """The database could not be copied."""

    code = "copy_failed"


class ProgramMissingError(CopyError):
    """One of PostgreSQL's own programs is not installed, or too old."""

    code = "postgres_program_missing"


class ProgramFailedError(CopyError):
    """One of PostgreSQL's own programs failed."""

    code = "postgres_program_failed"


class DatabaseUnreachableError(CopyError):
    """The database can't be reached."""

    code = "database_unreachable"


class NothingToCopyError(CopyError):
    """There are no tables of Bankloom in this database."""

    code = "nothing_to_copy"


class NotEmptyError(CopyError):
    """The database that is to be filled holds something of Bankloom's already."""

    code = "database_not_empty"


class SameDatabaseError(CopyError):
    """Source and target are one database. Nothing was changed."""

    code = "same_database"


class DatabaseInUseError(CopyError):
    """Others use the database, which has to be left alone for this."""

    code = "database_in_use"


class LoadFailedError(CopyError):
    """The database that was to be filled refused it, and is as empty as before."""

    code = "load_failed"


class CopyDiffersError(CopyError):
    """The copy is not equal to the original, and was thrown away. The original is as it was."""

    code = "copy_differs"

    def __init__(self, tables: list[str]) -> None:
        super().__init__(
            f"The copy is not equal to the original in {', '.join(tables)}, and was thrown away. The "
            "original is as it was."
        )


class NoBackupError(CopyError):
    """The file is no backup that `bankloom db backup` wrote."""

    code = "no_backup"


class BackupFileError(CopyError):
    """The backup can't be written there."""

    code = "backup_file"

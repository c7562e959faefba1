"""What can go wrong with the embedded database, each with a code a program can test for."""

from bankloom.core.errors import ConfigurationError


class EmbeddedPostgresError(ConfigurationError):
    """The embedded database cannot be used."""

    code = "embedded_postgres_failed"


class NoBinariesError(EmbeddedPostgresError):
    """No PostgreSQL is bundled for this machine."""

    code = "embedded_postgres_no_binaries"


class OtherMajorError(EmbeddedPostgresError):
    """The data was made by another major version of PostgreSQL."""

    code = "embedded_postgres_other_major"


class InUseError(EmbeddedPostgresError):
    """Another process uses the database, which has to be left alone for this."""

    code = "embedded_postgres_in_use"


class UnreachableFolderError(EmbeddedPostgresError):
    """The account that needs a folder cannot reach it."""

    code = "embedded_postgres_unreachable_folder"


class NoOwnClusterError(EmbeddedPostgresError):
    """The data folder names a cluster that is not there, or belongs to another data folder."""

    code = "embedded_postgres_no_own_cluster"


class StartFailedError(EmbeddedPostgresError):
    """The server did not start."""

    code = "embedded_postgres_start_failed"


class RefusedError(EmbeddedPostgresError):
    """The server runs but does not take our password."""

    code = "embedded_postgres_refused"


class StopFailedError(EmbeddedPostgresError):
    """The server did not stop."""

    code = "embedded_postgres_stop_failed"


class NotStartedError(EmbeddedPostgresError):
    """The database was used before `start` or after `stop`."""

    code = "embedded_postgres_not_started"

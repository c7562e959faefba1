"""Brings a database to the current schema: our tables, the job engine's, and the reader's views."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bankloom.core.db import SCHEMA, SCHEMA_LOCK
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from bankloom.core.db import Database

_WHO_AND_WHERE = (
    "SELECT quote_ident(current_database()), quote_ident(current_user),"
    " has_database_privilege(current_database(), 'CREATE')"
)


def upgrade(database: Database) -> None:
    """Apply what is missing; does nothing on a current database.

    Errors: `ConfigurationError` where a newer Bankloom has been here, or our role may not do it.
    """
    with upgraded(database):
        pass


def require_current(database: Database) -> None:
    """Refuse a database whose schema is not this version's, for those who only look.

    Errors: `ConfigurationError`; what brings it up to date is a start of the service.
    """
    with database.engine.connect() as connection, _reading_explained():
        _refuse_newer(connection)
        current = _revision(connection)
        head = ScriptDirectory.from_config(config(connection)).get_current_head()
    if current is None:
        raise ConfigurationError(
            "There are no tables of Bankloom in this database yet. `bankloom serve` makes them; or "
            "point BANKLOOM_DATABASE_URL or BANKLOOM_DATA_DIR to the database that you mean."
        )
    if current != head:
        raise ConfigurationError(
            f"This database was made by an older Bankloom (schema {current}, and this version reads "
            f"{head}). Start `bankloom serve` of this version once: it brings the database up to "
            "date. Nothing was changed."
        )


@contextmanager
def looked_at(database: Database) -> Iterator[Session]:
    """Give a session for a look at a current database. Errors: as `require_current`."""
    require_current(database)
    with database.session() as session:
        yield session


def require_known(revision: str, holder: str) -> None:
    """Refuse a schema that a newer Bankloom has made. Errors: `ConfigurationError`, naming its holder."""
    scripts = ScriptDirectory(str(files(__name__)))
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError(
            f"{holder} was made by a newer Bankloom (schema {revision}). Install that version or a "
            "newer one; nothing was changed."
        )


@contextmanager
def upgraded(database: Database) -> Iterator[Session]:
    """Upgrade, and give a session to look at the outcome before it is committed.

    What the block raises takes the migration back, so that a start that is refused changes nothing.
    """
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": SCHEMA_LOCK})
        connection.commit()
        try:
            with _privileges_explained(connection):
                _refuse_newer(connection)
                command.upgrade(config(connection), "head")
            yield Session(connection)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": SCHEMA_LOCK})
            connection.commit()


def config(connection: Connection) -> Config:
    """Return Alembic's configuration over an open connection."""
    configuration = Config()
    configuration.set_main_option("script_location", str(files(__name__)))
    configuration.attributes["connection"] = connection
    return configuration


def _revision(connection: Connection) -> str | None:
    options = {"version_table_schema": SCHEMA}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _refuse_newer(connection: Connection) -> None:
    current = _revision(connection)
    if current is not None:
        require_known(current, "This database")


@contextmanager
def _privileges_explained(connection: Connection) -> Iterator[None]:
    """Turn what our role may not do into what an administrator has to do."""
    try:
        yield
    except (DBAPIError, InsufficientPrivilege) as error:
        if (refusal := _refusal(error)) is None:
            raise
        connection.rollback()
        raise ConfigurationError(_what_to_grant(connection, refusal)) from error


@contextmanager
def _reading_explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if (refusal := _refusal(error)) is None:
            raise
        raise ConfigurationError(
            f"This database role may not read Bankloom's tables ({refusal}). Use the role that "
            "`bankloom serve` connects as."
        ) from error


def _refusal(error: Exception) -> str | None:
    """Return the server's own words, if it says that we may not do this."""
    said = getattr(error, "orig", error)
    return str(said).partition("\n")[0] if isinstance(said, InsufficientPrivilege) else None


def _what_to_grant(connection: Connection, refusal: str) -> str:
    database, role, may_create = connection.execute(text(_WHO_AND_WHERE)).one()
    if may_create:
        return (
            f"The role {role} may not use or change what another role has made in the database "
            f"{database} ({refusal}). Connect as the role that started Bankloom there first."
        )
    return (
        f"The role {role} may not make the schemas that Bankloom needs in the database {database} "
        f"({refusal}). Let its owner or an administrator run this once, then start again:\n"
        f"  GRANT CREATE ON DATABASE {database} TO {role};"
    )

"""Brings a database to the current schema: our tables, the job engine's, and the reader's views."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.orm import Session

from bankloom.core.db import SCHEMA
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from bankloom.core.db import Database

_LOCK = 0x62616E6B6C6F6F6D  # "bankloom": one migrator at a time, however many processes start


def upgrade(database: Database) -> None:
    """Apply what is missing; does nothing on a current database.

    Errors: `ConfigurationError` where a newer Bankloom has been here.
    """
    with upgraded(database):
        pass


@contextmanager
def upgraded(database: Database) -> Iterator[Session]:
    """Upgrade, and give a session to look at the outcome before it is committed.

    What the block raises takes the migration back, so that a start that is refused changes nothing.
    """
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        try:
            _refuse_newer(connection)
            command.upgrade(config(connection), "head")
            yield Session(connection)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()


def config(connection: Connection) -> Config:
    """Return Alembic's configuration over an open connection."""
    configuration = Config()
    configuration.set_main_option("script_location", str(files(__name__)))
    configuration.attributes["connection"] = connection
    return configuration


def _refuse_newer(connection: Connection) -> None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    current = context.get_current_revision()
    known = {
        script.revision
        for script in ScriptDirectory.from_config(config(connection)).walk_revisions()
    }
    if current is not None and current not in known:
        raise ConfigurationError(
            f"This database was made by a newer Bankloom (schema {current}). Install that version "
            "or a newer one; nothing was changed."
        )

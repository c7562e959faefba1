"""The database server that all sides share, and a fresh database for each measurement."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from folders import new_folder

from bankloom import migrations
from bankloom.core.db import Database
from bankloom.core.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "bankloom"
_numbers = itertools.count(1)


class Server:
    """The embedded server with its default durability, in a folder of its own."""

    def __init__(self, folder: Path, embedded: EmbeddedPostgres) -> None:
        self.log = folder / "postgres.log"
        self._embedded = embedded

    @contextmanager
    def fresh_database(self, *, log_statements: bool = False) -> Iterator[str]:
        """Give the URL of a new, migrated and empty database, dropped after the block."""
        name = f"bench_{next(_numbers)}"
        self._order(f"CREATE DATABASE {name} TEMPLATE {_NAME} OWNER {_NAME}")
        if log_statements:
            self._order(f"ALTER DATABASE {name} SET log_statement = 'all'")
        self.checkpoint()
        try:
            yield self._embedded.url.replace(f"/{_NAME}?", f"/{name}?")
        finally:
            self._order(f"DROP DATABASE {name} WITH (FORCE)")

    def checkpoint(self) -> None:
        """Bring to disk what was written so far, so that nobody pays for another's pages."""
        self._order("CHECKPOINT")

    def _order(self, command: str) -> None:
        with psycopg.connect(self._embedded.admin_url, autocommit=True) as admin:
            admin.execute(command.encode())


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server for the length of a block."""
    with new_folder() as made:
        folder = made / "postgres"
        with EmbeddedPostgres(folder) as embedded:
            database = Database(embedded.url)
            migrations.upgrade(database)
            database.close()
            yield Server(folder, embedded)

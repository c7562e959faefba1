"""Joins the server of a data folder, starting it where needed, and leaves it."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from bankloom.core.embedded_postgres import account, binaries, locks
from bankloom.core.embedded_postgres.cluster import SUPERUSER, Cluster
from bankloom.core.embedded_postgres.errors import (
    NotStartedError,
    StartFailedError,
    UnreachableFolderError,
)
from bankloom.core.embedded_postgres.folder import STATE_DIR, DataFolder, Passwords
from bankloom.core.embedded_postgres.patience import Patience

ROLE = DATABASE = "bankloom"
CONNECT_S_MAX = 10


class EmbeddedPostgres:
    """A PostgreSQL server in a data folder, shared by every process that uses it.

    `durable=False` trades safety against power loss for speed, for tests; it takes effect in the
    process that starts the server, not in those that join. One object may serve many threads.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._folder = DataFolder(data_dir.resolve())
        self._durable = durable
        self._mutex = threading.RLock()
        self._membership: int | None = None
        self._cluster: Cluster | None = None
        self._passwords: Passwords | None = None
        self._bin_dir: Path | None = None
        self._notes: tuple[str, ...] = ()

    def start(self) -> Self:
        """Join the running server, or start it; the first time, create the cluster.

        Raises EmbeddedPostgresError, one class for each thing that a person has to set right.
        """
        with self._mutex:
            try:
                self._start()
            except PermissionError as error:
                raise UnreachableFolderError(
                    f"{error.filename or self._folder.path} belongs to another account. Use the "
                    "account that started the database, or a data folder of your own."
                ) from error
        return self

    def ensure_running(self) -> None:
        """Start the server again if it died. Cheap while it lives; needs `start` first."""
        if self._joined().is_up():
            return
        with self._mutex:
            self._joined()
            self.start()

    def stop(self) -> None:
        """Leave the server; the last user out stops it."""
        with self._mutex:
            if self._membership is None:
                return
            cluster = self._joined()
            with locks.exclusive(self._folder.start_lock, Patience(self._folder.log)):
                os.close(self._membership)
                self._membership = None
                if locks.is_free(self._folder.users_lock):
                    cluster.shut_down()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address (libpq URI, with password) of the service's own role and database."""
        return self._url(ROLE, self._known_passwords().service, DATABASE)

    @property
    def admin_url(self) -> str:
        """Address of the superuser and its database, for tests and for looking after the server."""
        return self._url(SUPERUSER, self._known_passwords().admin, "postgres")

    @property
    def bin_dir(self) -> Path:
        """The folder of psql, pg_dump and the others."""
        if self._bin_dir is None:
            raise NotStartedError("Call start() first.")
        return self._bin_dir

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about this database that a person should know, for the log and `doctor`."""
        return self._notes

    def _start(self) -> None:
        self._folder.create()
        with locks.exclusive(self._folder.start_lock, Patience(self._folder.log)):
            runner = account.choose(self._folder.cluster)
            self._bin_dir = binaries.find(runner, STATE_DIR)
            self._folder.settle(runner)
            self._cluster = Cluster(self._folder, runner, self._bin_dir, durable=self._durable)
            self._cluster.check_version()
            self._passwords = self._folder.passwords()
            self._cluster.bring_up(self._passwords)
            self._notes = self._make_notes(runner)
            _create_role_and_database(self.admin_url, self._passwords.service)
            if self._membership is None:
                self._membership = locks.share(self._folder.users_lock)

    def _joined(self) -> Cluster:
        if self._cluster is None or self._membership is None:
            raise NotStartedError("Call start() first.")
        return self._cluster

    def _known_passwords(self) -> Passwords:
        if self._passwords is None:
            raise NotStartedError("Call start() first.")
        return self._passwords

    def _url(self, role: str, password: str, database: str) -> str:
        """Name the port as well: PGPORT in the environment would otherwise win."""
        folder = quote(str(self._folder.socket_folder))
        return f"postgresql://{role}:{password}@/{database}?host={folder}&port=5432"

    def _make_notes(self, runner: account.Account) -> tuple[str, ...]:
        folder = self._folder
        notes = []
        if runner.borrowed:
            notes.append(f"PostgreSQL runs as {runner.name}, because it does not run as root.")
        if folder.home != folder.path:
            notes.append(
                f"The data is in {folder.home}, because {runner.name} cannot reach {folder.path}."
            )
        if self._bin_dir is not None and self._bin_dir.is_relative_to(STATE_DIR):
            notes.append(
                f"The PostgreSQL programs were copied to {self._bin_dir}, because {runner.name} "
                "cannot reach the installed ones."
            )
        if not folder.socket_folder.is_relative_to(folder.home):
            notes.append(
                f"The socket is in {folder.socket_folder}, because the path of the data folder "
                "is too long for one."
            )
        return tuple(notes)


def _create_role_and_database(admin_url: str, password: str) -> None:
    """Create what is missing: a start that was killed may have left any part of it.

    The server gets a verifier, never the password, so its log cannot hold it.
    """
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=CONNECT_S_MAX) as admin:
            if not _exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
                verifier = admin.pgconn.encrypt_password(
                    password.encode(), ROLE.encode(), b"scram-sha-256"
                )
                role = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
                admin.execute(role.format(sql.Identifier(ROLE), sql.Literal(verifier.decode())))
            if not _exists(admin, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
                database = sql.SQL("CREATE DATABASE {} OWNER {}")
                admin.execute(database.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))
    except psycopg.OperationalError as error:
        raise StartFailedError(f"The embedded PostgreSQL runs but refuses us: {error}") from error


def _exists(admin: psycopg.Connection, query: str, name: str) -> bool:
    return admin.execute(query.encode(), [name]).fetchone() is not None

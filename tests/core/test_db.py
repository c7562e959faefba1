"""The database: it opens or says why not, and a session commits as a whole or not at all."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from bankloom.core import db
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(embedded_database_url: str) -> Iterator[Database]:
    with closing(Database(embedded_database_url)) as database:
        yield database


def opened(**values: object) -> Database:
    return Database.open(Settings(_env_file=None, **values))  # type: ignore[arg-type]  # checked by pydantic


UNUSABLE_URLS = {
    "nothing listens": "postgresql://me:hunter2@127.0.0.1:1/db",
    "no such host": "postgresql://me:hunter2@host.invalid/db",
    "one slash": "postgresql:/me:hunter2@host/db",
    "no scheme": "me:hunter2@host/db",
    "another scheme": "mysql://me:hunter2@host/db",
    "port is a word": "postgresql://me:hunter2@host:port/db",
    "unknown option": "postgresql://me:hunter2@host/db?colour=blue",
    "key and value": "host=host user=me password=hunter2",
    "just a word": "hunter2",
}


@pytest.mark.parametrize("url", UNUSABLE_URLS.values(), ids=UNUSABLE_URLS)
def test_an_unusable_url_is_one_sentence(url: str) -> None:
    """The message names the variable and what to check, and never shows the password."""
    with pytest.raises(ConfigurationError) as caught:
        opened(database_url=url)
    assert "BANKLOOM_DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_servers_own_reason_is_passed_on(embedded_database_url: str) -> None:
    """A wrong password is told from a wrong host."""
    url = psycopg.conninfo.conninfo_to_dict(embedded_database_url)
    wrong = embedded_database_url.replace(str(url["password"]), "hunter2")
    with pytest.raises(ConfigurationError, match="password authentication failed") as caught:
        opened(database_url=wrong)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="Connection refused"):
        opened(database_url="postgresql://me:hunter2@127.0.0.1:1/db")


def test_several_hosts_are_tried_in_turn(embedded_database_url: str) -> None:
    """A URL as libpq allows it, with a host that is down before the one that answers."""
    parts = psycopg.conninfo.conninfo_to_dict(embedded_database_url)
    login, host = f"{parts['user']}:{parts['password']}", quote(str(parts["host"]), safe="")
    url = f"postgresql://{login}@127.0.0.1:1,{host}:5432/{parts['dbname']}"
    with closing(opened(database_url=f"{url}?target_session_attrs=read-write")) as database:
        with database.session() as session:
            name = session.scalar(text("SELECT current_database()"))
        assert name == parts["dbname"]


def test_options_of_the_url_are_kept(embedded_database_url: str) -> None:
    """What a person sets for each session stands beside what we set."""
    url = f"{embedded_database_url}&options=-c%20statement_timeout%3D77s"
    with closing(Database(url)) as database, database.session() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "77s"
        assert session.scalar(text("SHOW timezone")) == "UTC"


@pytest.mark.parametrize(
    ("options", "kept"), [("", "1MB"), ("&options=-c%20backend_flush_after%3D256kB", "256kB")]
)
def test_what_an_apply_writes_does_not_pile_up(
    embedded_database_url: str, options: str, kept: str
) -> None:
    """Its writes go to the disk as they come, on any server, unless the URL says how."""
    with (
        closing(Database(embedded_database_url + options)) as database,
        database.session() as session,
    ):
        assert session.scalar(text("SHOW backend_flush_after")) == kept


def test_a_server_too_old_is_refused(
    monkeypatch: pytest.MonkeyPatch, embedded_database_url: str
) -> None:
    """A server below the oldest supported major is named; here every server counts as that old."""
    monkeypatch.setattr(db, "OLDEST_SUPPORTED", 990_000)
    with pytest.raises(ConfigurationError, match="is PostgreSQL 18; Bankloom needs"):
        opened(database_url=embedded_database_url)


def test_a_session_commits_what_it_wrote(database: Database) -> None:
    """When the block ends, everybody sees its work."""
    with database.session() as session:
        session.execute(text("INSERT INTO users (name) VALUES ('ada')"))
    with database.session() as session:
        assert session.scalars(text("SELECT name FROM users")).all() == ["ada"]


def test_a_session_that_raises_leaves_nothing(database: Database) -> None:
    """An error inside the block undoes all of it, and is passed on."""

    def add_one_too_many() -> None:
        with database.session() as session:
            session.execute(text("INSERT INTO users (name) VALUES ('ada')"))
            session.execute(text("INSERT INTO users (name) VALUES ('ada')"))

    with pytest.raises(DBAPIError):
        add_one_too_many()
    with database.session() as session:
        assert session.scalars(text("SELECT name FROM users")).all() == []


def test_instants_are_utc(database: Database) -> None:
    """Whatever zone the server lives in, our sessions speak UTC."""
    with database.session() as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"


def test_a_dead_embedded_server_is_started_again(reachable_dir: Path) -> None:
    """After the server was killed under a living process, the next sessions find it again."""
    with closing(opened(data_dir=reachable_dir)) as database:
        with database.session() as session:
            session.execute(text("CREATE SCHEMA bankloom CREATE TABLE kept (one int)"))
            session.execute(text("INSERT INTO kept VALUES (1)"))
        server = _postmaster(database)
        server.send_signal(signal.SIGQUIT)  # drops every connection, like a crash
        wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
        with database.session() as session:
            assert session.scalar(text("SELECT one FROM kept")) == 1
        assert _postmaster(database) != server


def _postmaster(database: Database) -> psutil.Process:
    with database.session() as session:
        backend = psutil.Process(session.scalar(text("SELECT pg_backend_pid()")))
    server = backend.parent()
    assert server is not None
    return server


@pytest.mark.parametrize("late", [False, True])
def test_no_connection_outlives_the_database(embedded_database_url: str, *, late: bool) -> None:
    """A thread that is still at work at the end, or comes after it, leaves no connection open."""
    database = Database(embedded_database_url)
    if late:
        database.close()
    with database.session() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        database.close()
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    assert connection.closed


def test_what_comes_back_while_it_closes_is_closed_too(database: Database) -> None:
    """Between the last look at a connection and its way into the pool there is time for the end."""
    with database.engine.connect() as connection:
        own = connection.connection.driver_connection
        event.listen(database.engine, "checkin", lambda *_: database.close())
    assert isinstance(own, psycopg.Connection)
    assert own.closed

"""The read-only role: it sees the owner's money in stable views, and nothing else."""

from __future__ import annotations

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

import outside_server
from bankloom import migrations
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError
from bankloom.opening import open_runtime
from bankloom.services.reader_role import PASSWORD_FILE, reader_address
from harness import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bankloom.core.address import Address
    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from bankloom.services.runtime import Runtime
    from outside_server import OutsideServer
    from platypus_bank.testing import Running

    Ask = Callable[[str], list[tuple[Any, ...]]]


REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.ObjectNotInPrerequisiteState,  # the views can't be written to by anyone
)
CATALOG_ROWS = """
    SELECT xmin::text || ctid::text FROM pg_db_role_setting UNION ALL
    SELECT xmin::text || ctid::text FROM pg_namespace WHERE nspname = 'bank' UNION ALL
    SELECT xmin::text || ctid::text FROM pg_database WHERE datname = current_database() UNION ALL
    SELECT xmin::text || ctid::text FROM pg_class WHERE relnamespace = 'bank'::regnamespace
"""


@pytest.fixture
def ask(parts: Runtime) -> Iterator[Ask]:
    """Ask the database as the reader does."""
    with psycopg.connect(reader_of(parts).url, autocommit=True) as reader:
        yield lambda sql: reader.execute(sql).fetchall()


@pytest.mark.parametrize("view", ["accounts", "transactions", "balances"])
def test_it_reads_the_three_views(ask: Ask, view: str) -> None:
    """By their bare names, without a schema in front."""
    assert ask(f"SELECT * FROM {view}") == []  # noqa: S608 - one of three


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT access_token_sealed FROM bankloom.items",
        "SELECT * FROM bankloom.api_keys",
        "SELECT * FROM bankloom.transactions",
        "SELECT * FROM bankloom_jobs.procrastinate_jobs",
        "DELETE FROM transactions",
        "SET default_transaction_read_only = off; DELETE FROM bank.transactions",
        "SET default_transaction_read_only = off; INSERT INTO bank.accounts DEFAULT VALUES",
        "SET default_transaction_read_only = off; CREATE TABLE bank.mine (one int)",
        "SET default_transaction_read_only = off; CREATE TABLE public.mine (one int)",
        "SET ROLE bankloom",
    ],
)
def test_it_reads_and_writes_nothing_else(ask: Ask, sql: str) -> None:
    """No table of ours, no sealed column, no write, even where the session asks for writing."""
    with pytest.raises(psycopg.Error) as caught:
        ask(sql)
    assert isinstance(caught.value, REFUSALS)


def test_a_second_time_gives_the_same(parts: Runtime) -> None:
    """The role is made once; later calls find it, with the same password, and change nothing."""
    first = reader_of(parts)
    with parts.database.session() as session:
        before = session.execute(text(CATALOG_ROWS)).all()
    assert reader_of(parts) == first
    with parts.database.session() as session:
        assert session.execute(text(CATALOG_ROWS)).all() == before
    file = parts.settings.data_dir / PASSWORD_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_many_at_once_get_the_same(parts: Runtime) -> None:
    """Whether the role is there or not, calls at the same moment agree, and none fails."""
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: reader_of(parts).url, range(24)))
    assert len(set(found)) == 1
    assert opens(found[0])


def test_another_machine_does_not_take_the_role_away(parts: Runtime, tmp_path: Path) -> None:
    """A second data folder over the same database is refused, and told which file it lacks."""
    first = reader_of(parts)
    with pytest.raises(ConfigurationError) as caught:
        reader_address(parts.database, tmp_path / "other")
    assert str(tmp_path / "other" / PASSWORD_FILE) in str(caught.value)
    assert "bankloom db url --reset" in str(caught.value)
    assert opens(first.url)
    shutil.copy(parts.settings.data_dir / PASSWORD_FILE, tmp_path / "other")
    assert reader_address(parts.database, tmp_path / "other") == first


def test_a_reset_is_asked_for(parts: Runtime, tmp_path: Path) -> None:
    """It sets a new password, which works here; elsewhere the old one is told not to."""
    first = reader_of(parts)
    second = reader_address(parts.database, tmp_path / "other", reset=True)
    assert opens(second.url)
    assert not opens(first.url)
    with pytest.raises(ConfigurationError, match="password authentication failed"):
        reader_of(parts)
    third = reader_address(parts.database, tmp_path / "other", reset=True)
    assert third.parameters["password"] != second.parameters["password"]
    assert opens(third.url)


def test_a_lost_password_file_is_no_dead_end(parts: Runtime) -> None:
    """Without the file the way on is named, and leads on."""
    reader_of(parts)
    (parts.settings.data_dir / PASSWORD_FILE).unlink()
    with pytest.raises(ConfigurationError, match="--reset"):
        reader_of(parts)
    assert opens(reader_address(parts.database, parts.settings.data_dir, reset=True).url)


def test_a_view_of_a_later_version_is_granted(parts: Runtime, ask: Ask) -> None:
    """What an upgrade has added can be read after the next call."""
    with parts.database.session() as session:
        session.execute(text("CREATE VIEW bank.news AS SELECT 1 AS one"))
    reader_of(parts)
    assert ask("TABLE news") == [(1,)]


def test_the_server_never_sees_the_password(parts: Runtime, cluster: EmbeddedPostgres) -> None:
    """Not even a log of every statement holds it."""
    name = parts.database.engine.connect().connection.driver_connection.info.dbname  # type: ignore[union-attr]  # psycopg's own
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    parts.database.engine.dispose()
    reader = reader_of(parts)
    log = Path(str(conninfo_to_dict(cluster.url)["host"])).with_name("postgres.log").read_text()
    assert f"ALTER ROLE {reader.parameters['user']}" in log.replace('"', "")
    assert reader.parameters["password"] not in log


def test_the_users_own_database_is_named(
    parts: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where our URL names no database, the role is that of the one which opens, and so is its URL."""
    own = parts.database.address
    monkeypatch.setenv("PGDATABASE", own.parameters["dbname"])
    with closing(Database(own.but(dbname=None).url)) as database:
        reader = reader_address(database, tmp_path / "other")
    assert reader.parameters["user"] == f"{own.parameters['dbname']}_reader"
    monkeypatch.delenv("PGDATABASE")
    assert opens(reader.url)


def test_several_servers_stay_several(parts: Runtime, tmp_path: Path) -> None:
    """Behind a URL of many hosts that looks for the writable one, the reader finds the same one."""
    own = parts.database.address.parameters
    several = parts.database.address.but(
        host=f"127.0.0.1,{own['host']}", port=f"1,{own['port']}", target_session_attrs="read-write"
    )
    with closing(Database(several.url)) as database:
        reader = reader_address(database, tmp_path / "other")
    assert reader.parameters["host"] == several.parameters["host"]
    assert opens(reader.url)


def test_a_long_name_is_cut_as_the_server_cuts(parts: Runtime, cluster: EmbeddedPostgres) -> None:
    """The role of a database with the longest possible name is found again."""
    name, own = "x" * 63, parts.database.address
    parts.database.close()
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {own.parameters['dbname']} OWNER bankloom")
        try:
            with closing(Database(own.but(dbname=name).url)) as database:
                readers = [reader_address(database, parts.settings.data_dir) for _ in range(2)]
            assert readers[0] == readers[1]
            assert opens(readers[0].url)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def reader_of(runtime: Runtime) -> Address:
    return reader_address(runtime.database, runtime.settings.data_dir)


def opens(url: str) -> bool:
    try:
        with psycopg.connect(url) as reader:
            return reader.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
    except psycopg.OperationalError:
        return False


def outside_parts(bank: Running, url: str, folder: Path) -> Runtime:
    database = Database(url)
    migrations.upgrade(database)
    database.close()
    return open_runtime(settings_for(bank.url, url, folder / "data"))


def outside_test_makes_the_role_by_hand(
    outside: OutsideServer, bank: Running, tmp_path: Path
) -> None:
    """Where our role may not make roles, the statements for an administrator work as they stand."""
    with outside.database() as url, closing(outside_parts(bank, url, tmp_path)) as runtime:
        with pytest.raises(ConfigurationError) as caught:
            reader_of(runtime)
        statements = str(caught.value).partition(":\n")[2]
        with outside.administrator() as admin:
            admin.execute(statements)
        reader = reader_of(runtime)
        try:
            assert reader.parameters["password"] not in statements
            with psycopg.connect(reader.url) as connection:
                assert connection.execute("SELECT * FROM accounts").fetchall() == []
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT * FROM bankloom.items")
        finally:
            with outside.administrator(url) as admin:
                admin.execute(f"DROP OWNED BY {reader.parameters['user']}")
                admin.execute(f"DROP ROLE {reader.parameters['user']}")


if outside_server.is_available():  # else the run ends with a loud line that says so
    test_an_administrators_statements_work = outside_test_makes_the_role_by_hand

"""The read-only role: it sees the owner's money in stable views, and nothing else."""

from __future__ import annotations

import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import outside_server
from bankloom import migrations
from bankloom.app import open_runtime
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError
from bankloom.services.reader_role import PASSWORD_FILE, reader_url
from harness import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from outside_server import OutsideServer
    from platypus_bank.testing import Running

    Ask = Callable[[str], list[tuple[Any, ...]]]


REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.ObjectNotInPrerequisiteState,  # the views can't be written to by anyone
)


@pytest.fixture
def ask(parts: Runtime) -> Iterator[Ask]:
    """Ask the database as the reader does."""
    url = reader_url(parts).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as reader:
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
    """The role is made once; later calls find it, with the same password."""
    assert reader_url(parts) == reader_url(parts)
    file = parts.settings.data_dir / PASSWORD_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_lost_password_file_is_no_dead_end(parts: Runtime) -> None:
    """Without the file a new password is set, and works."""
    first = reader_url(parts)
    (parts.settings.data_dir / PASSWORD_FILE).unlink()
    second = reader_url(parts)
    assert first.password != second.password
    with psycopg.connect(second.render_as_string(hide_password=False)) as reader:
        assert reader.execute("SELECT * FROM accounts").fetchall() == []


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
            reader_url(runtime)
        statements = str(caught.value).partition(":\n")[2]
        with outside.administrator() as admin:
            admin.execute(statements)
        reader = reader_url(runtime)
        try:
            with psycopg.connect(reader.render_as_string(hide_password=False)) as connection:
                assert connection.execute("SELECT * FROM accounts").fetchall() == []
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT * FROM bankloom.items")
        finally:
            with outside.administrator(url) as admin:
                admin.execute(f"DROP OWNED BY {reader.username}")
                admin.execute(f"DROP ROLE {reader.username}")


if outside_server.is_available():  # else the run ends with a loud line that says so
    test_an_administrators_statements_work = outside_test_makes_the_role_by_hand

"""`bankloom db`: the way in for people, which changes nothing but the read-only role."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from bankloom.core.keyring_file import NAME as KEYRING_FILE
from commands import bankloom
from harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.core.embedded_postgres import EmbeddedPostgres

AN_ITEM = """
    INSERT INTO bankloom.users (id, name) VALUES (gen_random_uuid(), 'ada');
    INSERT INTO bankloom.items (item_id, user_id, environment, base_url, client_id,
                                access_token_sealed, access_token_hash)
    SELECT 'item', id, 'production', 'https://elsewhere', 'other', 'v1.main.AAAA', 'x'
      FROM bankloom.users
"""


@pytest.fixture(autouse=True)
def psql_in_path(monkeypatch: pytest.MonkeyPatch, cluster: EmbeddedPostgres) -> None:
    """Let the embedded server's psql be found, where the machine has none."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{cluster.bin_dir}")


def test_the_database_opens_read_only(environment: dict[str, str]) -> None:
    """`db url` prints an address that works; `db psql` hands on arguments and the exit code."""
    migrated = bankloom(environment, "db", "url")
    assert migrated.returncode == 0, migrated.stderr
    with psycopg.connect(migrated.stdout.strip()) as reader:
        assert reader.execute("SELECT * FROM accounts").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM bankloom.items")
    counted = bankloom(environment, "db", "psql", "-Atc", "SELECT count(*) FROM accounts")
    assert (counted.returncode, counted.stdout) == (0, "0\n")
    assert bankloom(environment, "db", "psql", "-c", "SELECT FROM nothing").returncode == 1


def test_psql_is_told_no_secret_of_ours(environment: dict[str, str]) -> None:
    """What is started from within it finds neither Plaid's secret nor a setting of ours."""
    shown = bankloom(environment, "db", "psql", "-c", r"\! env")
    assert "PGPASSWORD=" in shown.stdout
    assert not [
        line for line in shown.stdout.splitlines() if line.startswith(("PLAID_", "BANKLOOM_"))
    ]


def test_a_reset_prints_another_url(environment: dict[str, str]) -> None:
    """The new one works, the old one does not."""
    old, new = (
        bankloom(environment, "db", "url", *options).stdout.strip()
        for options in ((), ("--reset",))
    )
    psycopg.connect(new).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(old)


@pytest.mark.parametrize("command", [["url"], ["psql", "-c", "TABLE accounts"]])
def test_no_keyring_is_needed_nor_made(
    environment: dict[str, str], embedded_database_url: str, tmp_path: Path, command: list[str]
) -> None:
    """An analyst's machine reads what is not sealed, over Items whose keys it does not have."""
    with psycopg.connect(embedded_database_url) as own:
        own.execute(AN_ITEM)
    read = bankloom(environment, "db", *command)
    assert read.returncode == 0, read.stderr
    assert not (tmp_path / "data" / KEYRING_FILE).exists()


@pytest.mark.parametrize("command", [["url"], ["psql", "-c", "TABLE accounts"]])
def test_a_database_without_tables_is_left_alone(
    environment: dict[str, str], embedded_database_url: str, command: list[str]
) -> None:
    """Where the service never ran, that is said; looking makes no tables."""
    with psycopg.connect(embedded_database_url) as own:
        own.execute("DROP SCHEMA bankloom, bankloom_jobs, bank CASCADE")
    refused = bankloom(environment, "db", *command)
    assert refused.returncode == 1
    assert "bankloom serve" in refused.stderr
    assert "Traceback" not in refused.stderr
    with psycopg.connect(embedded_database_url) as own:
        query = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'bank%'"
        assert own.execute(query).fetchone() == (0,)


def test_a_role_that_may_not_read_is_told_which_may(
    environment: dict[str, str], embedded_database_url: str, cluster: EmbeddedPostgres
) -> None:
    """Another role than the service's gets a sentence."""
    url = re.sub(r"//[^@]*@", "//outsider:secret@", embedded_database_url)
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE outsider LOGIN PASSWORD 'secret'")
        refused = bankloom({**environment, "BANKLOOM_DATABASE_URL": url}, "db", "url")
        admin.execute("DROP ROLE outsider")
    assert refused.returncode == 1
    assert "may not read Bankloom's tables" in refused.stderr
    assert "Traceback" not in refused.stderr


IN_A_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C reaches those whose terminal it is
from bankloom.cli import main
main()
"""


class Terminal:
    """A terminal with `bankloom db psql` in its foreground."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, "db", "psql", "-X"],
            start_new_session=True,
            env={**os.environ, **environment, "PAGER": "cat", "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.seen = ""

    def type(self, text: str) -> None:
        """Send what a person types."""
        os.write(self._ours, text.encode())

    def read_until(self, text: str) -> None:
        """Read until this is shown; a test's own limit of time ends a wait for nothing."""
        while text not in self.seen:
            self.seen += os.read(self._ours, 4096).decode()

    def close(self) -> None:
        """End it, and what runs in it."""
        os.close(self._ours)
        self.process.wait(30)


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    """Open psql in a terminal of its own."""
    terminal = Terminal(environment)
    yield terminal
    terminal.close()


def test_ctrl_c_cancels_the_query_and_not_the_session(
    terminal: Terminal, embedded_database_url: str, cluster: EmbeddedPostgres
) -> None:
    """The running query ends, psql goes on with the next one, and leaves with code 0."""
    sleeping = (
        "SELECT FROM pg_stat_activity"
        " WHERE datname = %s AND query LIKE 'SELECT pg_sleep%%' AND state = 'active'"
    )
    name = [psycopg.conninfo.conninfo_to_dict(embedded_database_url)["dbname"]]
    terminal.read_until("=> ")
    terminal.type("SELECT pg_sleep(60);\n")
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        wait_until(lambda: admin.execute(sleeping, name).fetchone() is not None)
    terminal.type("\x03")
    terminal.read_until("canceling statement due to user request")
    terminal.type("SELECT 'still' || 'here';\n")
    terminal.read_until("stillhere")
    terminal.type("\\q\n")
    assert terminal.process.wait(30) == 0

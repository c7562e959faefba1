"""Fixtures: one embedded cluster and one bank a test process, a database and a service a test."""

from __future__ import annotations

import io
import itertools
import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest

import outside_server
from bankloom import migrations
from bankloom.core.db import Database
from bankloom.core.embedded_postgres import EmbeddedPostgres
from bankloom.core.logs import TextFormatter
from harness import serving, settings_for
from platypus_bank.testing import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from outside_server import OutsideServer

_numbers = itertools.count(1)

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("bankloom", deadline=None)
hypothesis.settings.load_profile("bankloom")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of tests/flows; pytest asks for options here only."""
    parser.addoption(
        "--both-servers", action="store_true", help="run every flow on either PostgreSQL"
    )


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """One server for the whole run, with a migrated database that each test copies."""
    with (
        tempfile.TemporaryDirectory(prefix="bankloom-test-") as folder,
        EmbeddedPostgres(_passable(Path(folder)) / "postgres", durable=False) as server,
    ):
        database = Database(server.url)
        migrations.upgrade(database)
        database.close()
        yield server


def _passable(folder: Path) -> Path:
    """Let others pass through: where the tests run as root, the server is another user."""
    folder.chmod(0o711)
    return folder


@pytest.fixture
def embedded_database_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh copy of the migrated database, on the embedded server."""
    with _copy_on(cluster) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The same, for a service that a whole file of tests shares."""
    with _copy_on(cluster) as url:
        yield url


@contextmanager
def _copy_on(cluster: EmbeddedPostgres) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE bankloom OWNER bankloom')
        yield cluster.url.replace("/bankloom?", f"/{name}?")
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def reachable_dir() -> Iterator[Path]:
    """An empty folder that every account can pass through, as an embedded server's must be."""
    with tempfile.TemporaryDirectory(prefix="bankloom-test-", ignore_cleanup_errors=True) as folder:
        yield _passable(Path(folder))


@pytest.fixture
def database_url(embedded_database_url: str) -> str:
    """The database of a test; the flows give it another meaning."""
    return embedded_database_url


@pytest.fixture(scope="session")
def outside() -> Iterator[OutsideServer]:
    """A server of the oldest supported major, apart from the embedded one."""
    with outside_server.outside_server() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what this run left out."""
    if not outside_server.is_available():
        terminalreporter.section("a part was not run", sep="!", red=True, bold=True)
        terminalreporter.line(outside_server.NOT_RUN, red=True, bold=True)


@pytest.fixture(scope="session")
def platypus() -> Iterator[Running]:
    """One bank for the whole run; its `control` is that of our client's world."""
    with running(client_id="test-client") as bank:
        yield bank


@pytest.fixture
def bank(platypus: Running) -> Iterator[Running]:
    """The bank, with a new world whose history is ready at once."""
    platypus.control.reset()
    platypus.control.settings(initial_update_seconds=0, historical_update_seconds=0)
    yield platypus
    platypus.control.clear_faults()


@pytest.fixture
def settings(bank: Running, database_url: str, tmp_path: Path) -> Settings:
    """Settings of a service over this test's bank and database."""
    return settings_for(bank.url, database_url, tmp_path / "data")


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Api, Runtime]]:
    """The service in a thread, with its worker: (API over HTTP, runtime)."""
    with serving(settings) as running_service:
        yield running_service


@pytest.fixture
def api(service: tuple[Api, Runtime]) -> Api:
    """The service's API over HTTP."""
    return service[0]


@pytest.fixture
def runtime(service: tuple[Api, Runtime]) -> Runtime:
    """The service's opened parts."""
    return service[1]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What this process logs, as an operator reads it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(TextFormatter())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)

"""Fixtures: one embedded cluster and one bank a test process, a database and a service a test."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import psycopg
import pytest
from harness import serving, settings_for
from platypus_bank.testing import Running, running

from bankloom import migrations
from bankloom.core.db import Database
from bankloom.core.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Api

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the whole run, with a migrated database that each test copies."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("cluster"), durable=False) as server:
        database = Database(server.url)
        migrations.upgrade(database)
        database.close()
        yield server


@pytest.fixture
def database_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh copy of the migrated database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE bankloom OWNER bankloom')
        yield cluster.url.replace("/bankloom?", f"/{name}?")
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def platypus() -> Iterator[Running]:
    """One bank for the whole run."""
    with running() as bank:
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

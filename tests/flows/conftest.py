"""The flows run on the embedded server or on an outside one: half on each, or all on both if asked.

A release runs `make test ARGS=--both-servers`. Otherwise a test's name decides where it runs, so that every
run meets both servers in every file, at half the time.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

import outside_server
from bankloom import migrations
from bankloom.core.db import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outside_server import OutsideServer

SERVERS = ("embedded", "outside")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one of the two runs of a flow out."""
    if config.getoption("--both-servers") or not outside_server.is_available():
        return
    left_out = [item for item in items if _runs_elsewhere(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _runs_elsewhere(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    server = call.params.get("database_url") if call else None
    if server not in SERVERS:
        return False
    place = zlib.crc32(f"{item.path.name}::{item.name.replace(server, '')}".encode()) % 2
    return SERVERS.index(server) != place


@pytest.fixture(scope="session")
def outside_template(outside: OutsideServer) -> Iterator[str]:
    """The name of a migrated database on the outside server, which each test copies."""
    with outside.database() as url:
        database = Database(url)
        migrations.upgrade(database)
        database.close()
        yield url.rpartition("/")[2]


@pytest.fixture(params=SERVERS if outside_server.is_available() else SERVERS[:1])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh, migrated database on either server."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_database_url")
        return
    outside: OutsideServer = request.getfixturevalue("outside")
    with outside.database(request.getfixturevalue("outside_template")) as url:
        yield url

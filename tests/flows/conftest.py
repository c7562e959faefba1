"""The flows run twice: on the embedded server, and on an outside one where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import outside_server
from bankloom import migrations
from bankloom.core.db import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outside_server import OutsideServer


@pytest.fixture(scope="session")
def outside_template(outside: OutsideServer) -> Iterator[str]:
    """The name of a migrated database on the outside server, which each test copies."""
    with outside.database() as url:
        database = Database(url)
        migrations.upgrade(database)
        database.close()
        yield url.rpartition("/")[2]


@pytest.fixture(params=["embedded", "outside"] if outside_server.is_available() else ["embedded"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh, migrated database on either server."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_database_url")
        return
    outside: OutsideServer = request.getfixturevalue("outside")
    with outside.database(request.getfixturevalue("outside_template")) as url:
        yield url

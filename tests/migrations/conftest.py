"""The migrations run on both servers, each time from an empty database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

import outside_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.embedded_postgres import EmbeddedPostgres


@pytest.fixture(params=["embedded", "outside"] if outside_server.is_available() else ["embedded"])
def empty_database_url(request: pytest.FixtureRequest, cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database on either server."""
    if request.param == "outside":
        with request.getfixturevalue("outside").database() as url:
            yield url
        return
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE migrating OWNER bankloom TEMPLATE template0")
        yield cluster.url.replace("/bankloom?", "/migrating?")
        admin.execute("DROP DATABASE migrating WITH (FORCE)")

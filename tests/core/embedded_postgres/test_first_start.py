"""The first start: it may be killed anywhere, and may happen twice at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from bankloom.core.embedded_postgres import EmbeddedPostgres

MOMENTS = {
    "as it begins": "start.lock",
    "early in initdb": "creating/cluster/global",
    "late in initdb": "creating/cluster/base/5",
    "before the server": "cluster",
    "before the role": "run/.s.PGSQL.5432",
}


def test_two_at_once_make_one_server(
    empty_dir: Path,
    new_user: Callable[..., Any],
    servers: Callable[[], list[psutil.Process]],
) -> None:
    """Two processes that start on an empty folder at the same instant share one server."""
    users = [new_user(empty_dir) for _ in range(2)]
    for user in users:
        user.tell("start")
    assert len({user.answer() for user in users}) == 1
    assert len(servers()) == 1


@pytest.mark.parametrize("sign", MOMENTS.values(), ids=MOMENTS)
def test_a_start_killed_at_any_moment_is_completed(
    sign: str,
    empty_dir: Path,
    new_user: Callable[..., Any],
    servers: Callable[[], list[psutil.Process]],
    until: Callable[[Callable[[], object]], None],
) -> None:
    """Whatever `kill -9` leaves of a first start, the next start makes a whole database of it."""
    user = new_user(empty_dir)
    user.tell("start")
    until((empty_dir / sign).exists)
    user.kill()
    with (
        EmbeddedPostgres(empty_dir, durable=False) as server,
        psycopg.connect(server.url) as client,
    ):
        assert client.execute("SELECT current_user::text").fetchone() == ("bankloom",)
        assert len(servers()) == 1
        assert not (empty_dir / "creating").exists()


def test_what_is_missing_inside_is_created(data_dir: Path) -> None:
    """A cluster without our role and database, as a kill can leave it, gets them."""
    with (
        EmbeddedPostgres(data_dir, durable=False) as server,
        psycopg.connect(server.admin_url, autocommit=True) as admin,
    ):
        admin.execute("DROP DATABASE bankloom")
        admin.execute("DROP ROLE bankloom")
        with EmbeddedPostgres(data_dir) as again, psycopg.connect(again.url) as client:
            assert client.info.dbname == "bankloom"

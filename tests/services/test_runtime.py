"""Opening the parts of a process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic import command
from sqlalchemy import text

from bankloom import migrations
from bankloom.core.address import Address
from bankloom.core.db import Database
from bankloom.core.errors import ConfigurationError, DatabaseLostError
from bankloom.core.keyring import Keyring
from bankloom.opening import open_runtime
from bankloom.services.copies import copy_session, table_hashes
from bankloom.services.runtime import Runtime
from harness import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from bankloom.core.settings import Settings
    from bankloom.services.copies.table_hashes import TableHash

A_DELIVERY_OF_0002 = """
    INSERT INTO bankloom.webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type,
                                             webhook_code, body_sealed)
    VALUES ('row', 'kid', now(), now(), 'TRANSACTIONS', 'SYNC_UPDATES_AVAILABLE', %s)
"""


def test_a_database_that_dies_meanwhile_is_one_sentence(settings: Settings) -> None:
    """Whoever starts it is told to start again, and sees no traceback of a library."""

    @contextmanager
    def dies(database: Database) -> Iterator[Session]:
        with database.session() as session, database.session() as other:
            (pid,) = session.execute(text("SELECT pg_backend_pid()")).one()
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            yield session

    with pytest.raises(DatabaseLostError, match="start again"):
        Runtime.open(settings, dies)


@pytest.fixture
def old_database(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database whose schema is that of an older version."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE old OWNER bankloom TEMPLATE template0")
        url = cluster.url.replace("/bankloom?", "/old?")
        database = Database(url)
        with database.engine.connect() as connection:
            command.upgrade(migrations.config(connection), "0002")
            connection.commit()
        database.close()
        yield url
        admin.execute("DROP DATABASE old WITH (FORCE)")


def hashes(url: str) -> dict[str, TableHash]:
    """Count and hash every table there is, whatever the schema's version."""
    with copy_session.opened(Address.parse(url)) as connection:
        return table_hashes.of(connection)


def test_a_start_with_the_wrong_key_changes_no_byte(old_database: str, tmp_path: Path) -> None:
    """Not even an older version's schema, and where only a webhook is sealed: nothing starts."""
    right = tmp_path / "right"
    with psycopg.connect(old_database) as own:
        own.execute(A_DELIVERY_OF_0002, [Keyring.load_or_create(right).seal("body", "row")])
    before = hashes(old_database)
    folder = tmp_path / "data"
    settings = settings_for("http://127.0.0.1:1", old_database, folder)
    refusal = "from a backup. Nothing was changed."
    with pytest.raises(ConfigurationError, match=refusal):
        open_runtime(settings)
    assert not (folder / "keyring").exists()
    folder.mkdir(exist_ok=True)
    Keyring.load_or_create(folder / "keyring")
    with pytest.raises(ConfigurationError, match=refusal):
        open_runtime(settings)
    assert hashes(old_database) == before
    right.rename(folder / "keyring")
    open_runtime(settings).close()
    assert hashes(old_database) != before

from __future__ import annotations

import re
import threading
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, make_url, text

from bankloom import migrations
from bankloom.core.db import SCHEMA, Database
from bankloom.core.errors import ConfigurationError
from bankloom.models import Base

if TYPE_CHECKING:
    from bankloom.core.embedded_postgres import EmbeddedPostgres


@pytest.fixture
def database(empty_database_url: str) -> Database:
    return Database(empty_database_url)


def test_the_migrations_lead_to_the_models(database: Database, empty_database_url: str) -> None:
    """A migrated database is exactly what the models describe."""
    migrations.upgrade(database)
    database.close()
    # Another search path than ours, so that the reflected tables carry their schema as the models do.
    plain = create_engine(
        make_url(empty_database_url).set(drivername="postgresql+psycopg"),
        connect_args={"options": "-c search_path=pg_catalog"},
    )
    with plain.connect() as connection:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
            "version_table_schema": SCHEMA,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    plain.dispose()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    """A current database is left alone, data included."""
    migrations.upgrade(database)
    with database.session() as session:
        session.execute(text("INSERT INTO users (name) VALUES ('ada')"))
    migrations.upgrade(database)
    with database.session() as session:
        assert session.execute(text("SELECT name FROM users")).scalars().all() == ["ada"]
    database.close()


def test_what_refuses_a_migration_takes_it_back(database: Database) -> None:
    """A start that is refused after a look at the migrated database has changed nothing."""

    def refused() -> None:
        with migrations.upgraded(database) as session:
            assert session.execute(text("SELECT count(*) FROM users")).scalar_one() == 0
            raise ConfigurationError("the keys do not fit")

    with pytest.raises(ConfigurationError, match="do not fit"):
        refused()
    with database.session() as session:
        tables = session.execute(text("SELECT count(*) FROM pg_tables WHERE tablename = 'users'"))
        assert tables.scalar_one() == 0
    migrations.upgrade(database)
    database.close()


def test_many_processes_may_start_at_once(database: Database) -> None:
    """Of several migrators at the same moment one does the work and none fails."""
    failures: list[BaseException] = []

    def migrate() -> None:
        try:
            migrations.upgrade(database)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    database.close()


def let_a_newer_one_migrate(database: Database) -> None:
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_a_newer_database_is_refused(database: Database) -> None:
    """An older Bankloom does not touch a database that a newer one has made."""
    migrations.upgrade(database)
    let_a_newer_one_migrate(database)
    with pytest.raises(ConfigurationError, match="newer Bankloom"):
        migrations.upgrade(database)
    database.close()


def test_who_only_looks_needs_the_current_schema(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing, an older and a newer schema are told apart, and left as they are."""
    with pytest.raises(ConfigurationError, match="no tables of Bankloom"):
        migrations.require_current(database)
    migrations.upgrade(database)
    migrations.require_current(database)
    with monkeypatch.context() as patch:
        patch.setattr(ScriptDirectory, "get_current_head", lambda _self: "9999")
        with pytest.raises(ConfigurationError, match=r"older Bankloom .* reads 9999"):
            migrations.require_current(database)
    let_a_newer_one_migrate(database)
    with pytest.raises(ConfigurationError, match="newer Bankloom"):
        migrations.require_current(database)
    database.close()


def test_a_role_that_may_not_make_schemas_is_told_what_to_grant(cluster: EmbeddedPostgres) -> None:
    """The statement in the message, run by an administrator as it stands, is all that is missing."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE \"my role\" LOGIN PASSWORD 'secret'")
        admin.execute('CREATE DATABASE "my data"')
        host = quote(str(conninfo_to_dict(cluster.url)["host"]))
        database = Database(f"postgresql://my%20role:secret@/my%20data?host={host}&port=5432")
        with pytest.raises(ConfigurationError, match="permission denied for database") as caught:
            migrations.upgrade(database)
        admin.execute(str(caught.value).partition(":\n")[2])
        migrations.upgrade(database)
        database.close()
        admin.execute('DROP DATABASE "my data"')
        admin.execute('DROP ROLE "my role"')


def test_anothers_schema_is_told_from_a_missing_grant(
    embedded_database_url: str, cluster: EmbeddedPostgres
) -> None:
    """A role that may make schemas, but not use those of another, is told whose they are to be."""
    name = conninfo_to_dict(embedded_database_url)["dbname"]
    other = Database(re.sub(r"//[^@]*@", "//other:secret@", embedded_database_url))
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE other LOGIN PASSWORD 'secret'")
        admin.execute(f"GRANT CREATE ON DATABASE {name} TO other")
        with pytest.raises(ConfigurationError, match="The role other may not use") as caught:
            migrations.upgrade(other)
        assert "Connect as the role that started Bankloom" in str(caught.value)
        other.close()
        admin.execute(f"REVOKE CREATE ON DATABASE {name} FROM other")
        admin.execute("DROP ROLE other")


def test_the_engines_schema_is_the_installed_engines() -> None:
    """The copy of the job engine's SQL is that of the locked version; an upgrade needs a migration."""
    copy = (
        files("bankloom.migrations").joinpath("engine/procrastinate_3_10_0.sql").read_text("utf-8")
    )
    assert copy == SchemaManager.get_schema()

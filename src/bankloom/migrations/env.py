"""Alembic's entry: runs the migrations over the connection that `upgrade` opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic import context
from sqlalchemy import text

from bankloom.core.db import SCHEMA
from bankloom.models import Base

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:  # noqa: ANN401 - Alembic's type
    return kind != "schema" or name == SCHEMA


def run(connection: Connection) -> None:
    """Run the migrations in one transaction."""
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=_is_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

"""Copies everything of Bankloom's into an empty database, and compares before that is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bankloom.core.copy_errors import CopyDiffersError
from bankloom.services.copies import copy_session, load_script, table_hashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.copies.copy_session import Connection
    from bankloom.services.copies.database_snapshot import Snapshot
    from bankloom.services.copies.table_hashes import TableHash


class Compared(NamedTuple):
    """A table on both sides; None where there is no such table."""

    name: str
    source: TableHash | None
    target: TableHash | None

    @property
    def is_equal(self) -> bool:
        """Whether both sides have the same rows."""
        return self.source == self.target


def now(source: Snapshot, target: Connection, tell: Callable[[str, int], None]) -> list[Compared]:
    """Copy into the open transaction of `target`; return each table as it stands on both sides."""
    with source.script() as script:
        load_script.now(script, target, tell)
    return _compare(table_hashes.of(source.connection), table_hashes.of(target))


def require_equal(compared: list[Compared]) -> None:
    """Refuse a copy that is not equal to its original. Errors: `CopyDiffersError`, naming the tables."""
    differing = [each.name for each in compared if not each.is_equal]
    if differing:
        raise CopyDiffersError(differing)


def left_behind(source: Snapshot) -> list[str]:
    """Return what else stands in that server and is no part of a copy: tables, other databases."""
    query = """
        SELECT 'the table ' || nspname || '.' || relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
          AND nspname <> ALL(%s)
        UNION ALL
        SELECT 'the database ' || datname FROM pg_database
        WHERE datname NOT IN (current_database(), 'postgres') AND NOT datistemplate
        ORDER BY 1
    """
    return [name for (name,) in source.connection.execute(query, [list(copy_session.SCHEMAS)])]


def _compare(source: dict[str, TableHash], target: dict[str, TableHash]) -> list[Compared]:
    names = sorted(source.keys() | target.keys())
    return [Compared(name, source.get(name), target.get(name)) for name in names]

"""Opens an empty database to be filled: all of it is committed at the end, or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import sql

from bankloom.core.copy_errors import NotEmptyError
from bankloom.core.errors import ConfigurationError
from bankloom.services.copies import copy_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.address import Address
    from bankloom.services.copies.copy_session import Connection


@contextmanager
def now(address: Address) -> Iterator[Connection]:
    """Give a connection in a transaction; what the block raises leaves the database empty.

    No service can start over it meanwhile. Errors: `NotEmptyError`; `ConfigurationError` where our
    role can't make schemas; `DatabaseInUseError`.
    """
    with copy_session.opened(address) as connection:
        copy_session.keep_starts_out(connection)
        _require_empty(connection)
        _require_privilege(connection)
        with connection.transaction():
            yield connection
            names = copy_session.identifiers(copy_session.tables(connection))
            connection.execute(sql.SQL("ANALYZE {}").format(names))  # else the first plans are bad


def _require_empty(connection: Connection) -> None:
    query = "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s) ORDER BY 1"
    found = [name for (name,) in connection.execute(query, [list(copy_session.SCHEMAS)])]
    if found:
        raise NotEmptyError(
            f"The database {connection.info.dbname} is not empty: it has the schemas "
            f"{', '.join(found)}. Use an empty database, or a new data folder. Nothing was changed."
        )


def _require_privilege(connection: Connection) -> None:
    query = """
        SELECT quote_ident(current_database()), quote_ident(current_user)
        WHERE NOT has_database_privilege(current_database(), 'CREATE')
    """
    if lacking := connection.execute(query).fetchone():
        database, role = lacking
        raise ConfigurationError(
            f"The role {role} may not make the schemas that Bankloom needs in the database "
            f"{database}. Let its owner or an administrator run this once, then repeat:\n"
            f"  GRANT CREATE ON DATABASE {database} TO {role};"
        )

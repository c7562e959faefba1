"""Sessions that row-level security confines to one user: a pool of a role of its own, and their proof.

Every session begins with a pass: user, connection and end, signed under a key that the confined role
can't read. `bankloom.confined_user()` of the database verifies it; without a valid one no row is seen.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import event, exc, text
from sqlalchemy.orm import Session

from bankloom.core.db import SCHEMA, end, engine_of, tuned
from bankloom.core.errors import BankloomError

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

    from bankloom.core.address import Address
    from bankloom.core.db import Begin, Database

POOL_SIZE = 4
POOL_OVERFLOW = 2
PASS_SECONDS = 3600
"""How long a pass is good for, by the clock of the database: more than clocks differ, or a request takes."""

# Temporary tables come last: an injected one must not stand in for one of ours.
_OPTIONS = f"-c search_path={SCHEMA},pg_catalog,pg_temp"
_PRESENT = text("SELECT set_config('bankloom.pass', :pass, true), bankloom.confined_user()")


class PassRefusedError(BankloomError):
    """The database does not take our pass for this user, so nothing was read or written.

    Either another keyring has signed since this process started, or the clocks of this machine and of
    the database differ by an hour: mend that and start again.
    """

    code = "pass_refused"
    status = 503


class ConfinedPool:
    """Connections of the confined role; opened when the first of them is asked for.

    `address` is the database, as that role; `key` signs the passes (32 bytes).
    """

    def __init__(self, database: Database, address: Address, key: bytes) -> None:
        self.address = tuned(address, _OPTIONS)
        self._key = key
        connect = partial(database.connect, self.address.conninfo)
        self.engine = engine_of(connect, POOL_SIZE, POOL_OVERFLOW)
        event.listen(self.engine, "connect", _note_backend)
        event.listen(self.engine, "checkout", _forget_all)

    def begin_for(self, user_id: uuid.UUID) -> Begin:
        """Return what begins a session that is confined to this user."""
        return partial(self._begin, user_id)

    @contextmanager
    def _begin(self, user_id: uuid.UUID) -> Iterator[Session]:
        """Give a session like `Database.session`. Errors: `PassRefusedError`."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            signed = self._signed(user_id, session.connection().connection)
            (*_, confined_to) = session.execute(_PRESENT, {"pass": signed}).one()
            if confined_to != user_id:
                raise PassRefusedError
            yield session

    def _signed(self, user_id: uuid.UUID, connection: PoolProxiedConnection) -> str:
        until = int(time.time()) + PASS_SECONDS
        return signed_pass(self._key, user_id, connection.info["backend"], until)

    def close(self) -> None:
        """Close the connections."""
        end(self.engine)


def signed_pass(key: bytes, user_id: uuid.UUID, backend: int, until: int) -> str:
    """Return the pass of a user for one connection, by its process id, until an instant (Unix seconds)."""
    said = f"{user_id}.{backend}.{until}"
    return f"{said}.{hmac.new(key, said.encode(), hashlib.sha256).hexdigest()}"


def _note_backend(connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
    """Learn which backend this is: a pooler between us may tell libpq another number."""
    connection.prepare_threshold = None  # what a session leaves behind is forgotten, statements too
    connection.autocommit = True
    (record.info["backend"],) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    connection.autocommit = False


def _forget_all(
    connection: psycopg.Connection[Any], _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Forget all that the last user's session may have left; it takes the place of the pool's ping."""
    try:
        connection.autocommit = True
        connection.execute("DISCARD ALL")
        connection.autocommit = False
    except psycopg.Error as error:
        raise exc.InvalidatePoolError from error  # the pool connects anew

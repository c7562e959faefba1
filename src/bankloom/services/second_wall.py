"""The second wall: makes the role that confined sessions log in as, grants it little, and proves it.

All processes know its password, because they derive it from the keyring. Where our own role may not
make roles, an administrator makes it once; until then one wall stands, the owner filter of each query.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import scram
from bankloom.core.confined import ConfinedPool, PassRefusedError
from bankloom.core.db import SCHEMA
from bankloom.models import PassKey
from bankloom.services import confined_grants

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.core.address import Address
    from bankloom.core.db import Database
    from bankloom.core.keyring import Keyring

    Connection = psycopg.Connection[tuple[Any, ...]]

SUFFIX = "_confined"
NAME_BYTES_MAX = 63  # PostgreSQL cuts longer names off
_DIGEST_CHARACTERS = 8
_LOCK = 0x62616E6B77616C6C  # "bankwall": one process at a time looks, makes and grants
_ROLE = "confined role"
PASSES = "passes of confined sessions"
"""Under this label the keyring gives the key that signs them."""

_NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True)
class Wall:
    """How the second wall stands. `pool` is None where it is missing.

    Then `problem` says why, and `statements` are for an administrator of the database's server.
    """

    role: str
    pool: ConfinedPool | None = None
    problem: str | None = None
    statements: tuple[str, ...] = ()

    @property
    def is_standing(self) -> bool:
        """Whether requests of a user's key are confined by the database too."""
        return self.pool is not None


def build(database: Database, keyring: Keyring) -> Wall:
    """Make what is missing of the wall, try it, and return how it stands; repeat it at will.

    It changes nothing where all is as it should be. Errors: SQLAlchemy's and psycopg's, where the
    database is lost meanwhile.
    """
    with database.session() as session:
        parts = _parts_of(session, database, keyring)
        parts.lock()
        if not parts.role_exists() and not parts.do(_CREATE):
            return parts.missing("Our role may not make roles", _CREATE)
        if (faults := parts.faults()) is not None:
            return parts.missing(*faults)
        if not parts.has_all_grants() and not parts.do(*confined_grants.statements()):
            return parts.missing("Our role may not grant what the confined role needs")
        PassKey.put(session, keyring.derive(PASSES))
        if not parts.may_connect():
            parts.do(_CONNECT)  # if we may not either, trying says so
    return _tried(database, keyring, parts.confined)


def look(database: Database, keyring: Keyring) -> Wall:
    """Return how the wall stands, and change nothing: for who only looks."""
    with database.session() as session:
        parts = _parts_of(session, database, keyring)
        if not parts.role_exists():
            return parts.missing("The confined role is not there", _CREATE)
        if (faults := parts.faults()) is not None:
            return parts.missing(*faults)
        if not parts.has_all_grants():
            return parts.missing("The confined role's grants are not those that it should have")
        pool = ConfinedPool(database, parts.confined, keyring.derive(PASSES))
        problem = _problem(pool)
        if problem is not None:
            pool.close()
            return parts.missing(problem, _RESET)
    pool.engine.dispose()
    return Wall(parts.confined.parameters["user"], pool)


_CREATE = "CREATE ROLE {role} LOGIN NOINHERIT PASSWORD {verifier}"
_RESET = "ALTER ROLE {role} LOGIN PASSWORD {verifier}"
_CONNECT = "GRANT CONNECT ON DATABASE {database} TO {role}"
_HARMLESS = "ALTER ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_EXISTS = "SELECT FROM pg_roles WHERE rolname = %s"
_POWERFUL = """
    SELECT FROM pg_roles WHERE rolname = %s
    AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
"""
_MEMBER = "SELECT FROM pg_auth_members WHERE member = %s::regrole"
_OWNER = """
    SELECT FROM pg_shdepend
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = %s::regrole AND deptype = 'o'
"""
_GRANTS = """
    SELECT relname, NULL, privilege_type FROM pg_class, aclexplode(relacl)
    WHERE relnamespace = %(schema)s::regnamespace AND grantee = %(role)s::regrole
    UNION ALL
    SELECT relname, attname, privilege_type
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl)
    WHERE relnamespace = %(schema)s::regnamespace AND grantee = %(role)s::regrole
"""
_SCHEMA = "SELECT WHERE has_schema_privilege(%s, %s, 'USAGE')"
_MAY_CONNECT = "SELECT WHERE has_database_privilege(%s, current_database(), 'CONNECT')"


class _Parts:
    """What the wall is made of, as one connection of ours sees it."""

    def __init__(self, connection: Connection, confined: Address) -> None:
        self.confined = confined
        self._connection = connection
        self._role = confined.parameters["user"]
        self._quoted = sql.Identifier(self._role).as_string(connection)

    def lock(self) -> None:
        """Let one process at a time look, make and grant."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])

    def role_exists(self) -> bool:
        return self._finds(_EXISTS, self._role)

    def faults(self) -> tuple[str, LiteralString] | None:
        """Say what would lead out of the wall, and what takes it away."""
        if self._finds(_POWERFUL, self._role):
            return "The confined role may do more than it should", _HARMLESS
        if self._finds(_MEMBER, self._quoted):
            return "The confined role is a member of others", "DROP ROLE {role}"
        if self._finds(_OWNER, self._quoted):
            return "The confined role owns something", "REASSIGN OWNED BY {role} TO CURRENT_USER"
        return None

    def has_all_grants(self) -> bool:
        names = {"schema": SCHEMA, "role": self._quoted}
        granted = set(self._connection.execute(_GRANTS, names))
        return granted == confined_grants.wanted() and self._finds(_SCHEMA, self._role, SCHEMA)

    def may_connect(self) -> bool:
        return self._finds(_MAY_CONNECT, self._role)

    def do(self, *texts: LiteralString) -> bool:
        """Execute these, all or none; say whether we may."""
        try:
            with self._connection.transaction():
                for text in texts:
                    self._connection.execute(self._composed(text))
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True

    def missing(self, problem: str, *texts: LiteralString) -> Wall:
        """Return a wall that does not stand, with what an administrator has to run."""
        statements = tuple(self._composed(text).as_string() for text in (*texts, _CONNECT))
        return Wall(self._role, None, problem, statements)

    def _finds(self, query: LiteralString, *values: str) -> bool:
        return self._connection.execute(query, values).fetchone() is not None

    def _composed(self, text: LiteralString) -> sql.Composed:
        password = self.confined.parameters["password"]
        return sql.SQL(text).format(
            role=sql.Identifier(self._role),
            schema=sql.Identifier(SCHEMA),
            database=sql.Identifier(self.confined.parameters["dbname"]),
            verifier=sql.Literal(scram.verifier(self._connection, self._role, password)),
        )


def _parts_of(session: Session, database: Database, keyring: Keyring) -> _Parts:
    connection = cast("Connection", session.connection().connection.driver_connection)
    return _Parts(connection, _confined(database.address, connection.info.dbname, keyring))


def _confined(own: Address, database: str, keyring: Keyring) -> Address:
    """Return our own address, as the confined role of this database."""
    password = keyring.derive(_ROLE).hex()
    return own.but(user=role_of(database), dbname=database, password=password)


def role_of(database: str) -> str:
    """Return the role's name; one that is too long ends in a digest, so that no two are alike."""
    room = NAME_BYTES_MAX - len(SUFFIX)
    whole = database.encode()
    if len(whole) <= room:
        return database + SUFFIX
    digest = hashlib.sha256(whole).hexdigest()[:_DIGEST_CHARACTERS]
    return whole[: room - len(digest)].decode(errors="ignore") + digest + SUFFIX


def _tried(database: Database, keyring: Keyring, confined: Address) -> Wall:
    """Open the pool and try it; a password that an older keyring has set is set anew."""
    pool = ConfinedPool(database, confined, keyring.derive(PASSES))
    problem = _problem(pool)
    if problem is not None:
        with database.session() as session:
            parts = _parts_of(session, database, keyring)
            mended = parts.do(_RESET)
            wall = parts.missing(problem, _RESET)
        if not mended or _problem(pool) is not None:
            pool.close()
            return wall
    pool.engine.dispose()  # most processes never ask for a confined session
    return Wall(confined.parameters["user"], pool)


def _problem(pool: ConfinedPool) -> str | None:
    """Return what is said to a session that is confined to nobody; None if it is let in."""
    try:
        with pool.begin_for(_NOBODY)():
            return None
    except PassRefusedError as error:
        return error.message
    except SQLAlchemyError as error:
        return str(getattr(error, "orig", error)).strip().partition("\n")[0]

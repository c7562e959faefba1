"""Opens the database, embedded or not, and hands out sessions that commit as a whole or not at all."""

from __future__ import annotations

import copy
import logging
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool

from bankloom.core.address import Address
from bankloom.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Dialect, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from bankloom.core.settings import Settings

SCHEMA = "bankloom"
ENGINE_SCHEMA = "bankloom_jobs"
VIEWS_SCHEMA = "bank"
SCHEMA_LOCK = 0x62616E6B6C6F6F6D
"""The key of an advisory lock, "bankloom": one process at a time makes or changes the schemas."""
OLDEST_SUPPORTED = 150_000  # PostgreSQL 15, as `server_version_num` writes it
POOL_SIZE = 10
POOL_OVERFLOW = 10
"""Few enough, with those of `core/confined.py`, that three processes fit into PostgreSQL's default of 100."""
CONNECT_SECONDS = 10
SILENT_MILLISECONDS = 30_000  # how long a vanished host may leave sent bytes unacknowledged
IDLE_SECONDS = 60  # a process frozen in the middle of a commit holds its locks no longer than this
# What an apply writes goes to the disk as it is written. Otherwise it piles up in the kernel, and
# who commits next, a webhook, waits until ext4's journal has it all there (p99: 374 ms, not 72 ms).
_UNLESS_THE_URL_SAYS = "-c backend_flush_after=1MB"
_OPTIONS = (
    f"-c search_path={SCHEMA},{ENGINE_SCHEMA} -c timezone=UTC "
    f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
)

if TYPE_CHECKING:
    Begin = Callable[[], AbstractContextManager[Session]]

log = logging.getLogger(__name__)
logging.getLogger(f"{__name__}._Pool").setLevel(logging.WARNING)  # SQLAlchemy's words, not ours


class _Pool(QueuePool):
    """Closes what comes back once it has `ended`: nobody would ever take it out again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ended = threading.Event()

    def recreate(self) -> _Pool:
        """Return the pool that takes this one's place when it is disposed of; it ends with it."""
        successor = cast("_Pool", super().recreate())
        successor.ended = self.ended
        return successor

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self.ended.is_set():  # looked at after the return: the end may come at any moment
            self.dispose()


def engine_of(
    connect: Callable[..., psycopg.Connection[Any]], size: int, overflow: int, **options: Any
) -> Engine:
    """Return an engine over connections of our own making, which `end` ends."""

    def do_connect(
        _dialect: Dialect, _record: ConnectionPoolEntry, _args: list[Any], kwargs: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return connect(**kwargs)

    engine = create_engine(
        "postgresql+psycopg://",  # libpq's URLs say more than SQLAlchemy's: we connect ourselves
        poolclass=_Pool,
        pool_size=size,
        max_overflow=overflow,
        hide_parameters=True,  # an error's text goes to the log, and parameters are people's data
        **options,
    )
    event.listen(engine, "do_connect", do_connect)
    return engine


def end(engine: Engine) -> None:
    """Close the connections; one that is still in use is closed when it comes back."""
    cast("_Pool", engine.pool).ended.set()
    engine.dispose()


def tuned(address: Address, more: str = "") -> Address:
    """Return the address as a service's sessions use it; the last of the options, `more`, wins."""
    theirs = address.parameters.get("options", "")
    return address.but(
        options=f"{_UNLESS_THE_URL_SAYS} {theirs} {_OPTIONS} {more}".rstrip(),
        application_name="bankloom",
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=SILENT_MILLISECONDS,
    )


class Database:
    """One PostgreSQL database: an engine, its sessions, and the embedded server if it is ours.

    `url` is a libpq URI; `embedded` is the started server that it leads to, or None. Errors:
    `ConfigurationError` where it is no such URI.
    """

    def __init__(self, url: str, embedded: EmbeddedPostgres | None = None) -> None:
        self.address = Address.parse(url)
        self.conninfo = tuned(self.address).conninfo
        self.embedded = embedded
        connect = partial(self.connect, self.conninfo)
        self.engine = engine_of(connect, POOL_SIZE, POOL_OVERFLOW, pool_pre_ping=True)
        self.whole = self
        self._begin: Begin = sessionmaker(self.engine, expire_on_commit=False).begin

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the database that the settings name, starting the embedded server if they name none.

        Errors: `ConfigurationError` where the server is too old or can't be reached.
        """
        if settings.database_url:
            database = cls(settings.database_url.get_secret_value())
        else:
            server = EmbeddedPostgres(settings.data_dir / "postgres").start()
            for note in server.notes:
                log.info("%s", note)
            database = cls(server.url, server)
        try:
            database.check_version()
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that commits when the block ends and rolls back if it raises."""
        with self._begin() as session:
            yield session

    def through(self, begin: Begin) -> Self:
        """Return the same database, whose sessions are begun in another way; its `whole` is this one."""
        other = copy.copy(self)
        other._begin = begin  # noqa: SLF001 - of our own class
        return other

    def check_version(self) -> None:
        """Refuse a server older than the oldest supported major version."""
        try:
            with self.engine.connect() as connection:
                version = connection.connection.driver_connection.info.server_version  # type: ignore[union-attr]  # psycopg's own attribute
        except Exception as error:
            raise ConfigurationError(
                "The database can't be reached. Check BANKLOOM_DATABASE_URL (host, port, name, user, "
                f"password) and that the server runs. It said: {_first_line(error)}"
            ) from error
        if version < OLDEST_SUPPORTED:
            raise ConfigurationError(
                f"The database server is PostgreSQL {version // 10_000}; Bankloom needs 15 or newer."
            )

    def close(self) -> None:
        """Close the connections and leave the embedded server, which stops after its last user.

        A thread that still has a connection, or asks for one late, has it closed when it is done.
        """
        end(self.engine)
        if self.embedded is not None:
            self.embedded.stop()

    def connect(self, conninfo: str, **kwargs: Any) -> psycopg.Connection[Any]:
        """Connect by some conninfo; where the embedded server has died, start it again first."""
        try:
            return psycopg.connect(conninfo, **kwargs)
        except psycopg.OperationalError:
            if self.embedded is None or not self._is_back(self.embedded):
                raise
            return psycopg.connect(conninfo, **kwargs)

    @staticmethod
    def _is_back(server: EmbeddedPostgres) -> bool:
        """Start the server again; what keeps it from starting is for the log, not for a caller."""
        try:
            server.ensure_running()
        except EmbeddedPostgresError as error:
            log.error("The embedded database does not start again: %s", error)  # noqa: TRY400 - told whole
            return False
        return True


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]

"""Runs the servers of an old major version and of the new one side by side, and swaps their clusters."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bankloom.core.embedded_postgres import (
    account,
    binaries,
    locks,
    old_programs,
    service_role,
    succession,
)
from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.binaries import MAJOR
from bankloom.core.embedded_postgres.creation import SUPERUSER
from bankloom.core.embedded_postgres.errors import InUseError
from bankloom.core.embedded_postgres.folder import DataFolder, Passwords
from bankloom.core.embedded_postgres.home import STATE_DIR
from bankloom.core.embedded_postgres.patience import Patience
from bankloom.core.embedded_postgres.programs import Programs
from bankloom.core.embedded_postgres.server import Server

_READ_ONLY = {"default_transaction_read_only": "on", "autovacuum": "off"}


@dataclass(frozen=True)
class Upgrade:
    """Both servers while they run: addresses (libpq URI) of the service's own database.

    `kept` is where the old cluster will lie.
    """

    old_major: str
    old_url: str
    new_url: str
    kept: Path


@contextmanager
def upgrading(data_dir: Path, old_bin_dir: Path | None = None) -> Iterator[Upgrade | None]:
    """Give both servers; when the block ends well, the new cluster takes the old one's place.

    Gives None where there is nothing to do. What the block raises leaves the old cluster in its
    place. Nobody else can use the database meanwhile. `old_bin_dir` is the folder of the old
    version's programs, where they are not bundled. Errors: EmbeddedPostgresError.
    """
    folder = DataFolder(data_dir.resolve())
    with ExitStack() as held:
        with folder.usable():
            runner = _hold(folder, held)
        if folder.major in {None, str(MAJOR)}:
            yield None
            return
        old = Programs(old_programs.find(folder, runner, old_bin_dir), runner)
        new = Programs(binaries.find(runner, STATE_DIR), runner)
        try:
            with _both_running(folder, old, new) as both:
                yield both
            succession.decide(folder)
        finally:
            _discard_new(folder)


def _hold(folder: DataFolder, held: ExitStack) -> Account:
    """Keep everybody else out, and clear away what a killed upgrade left; return the account."""
    folder.create()
    runner = account.choose(folder.cluster)
    folder.settle(runner)
    held.enter_context(locks.exclusive(folder.start_lock, Patience(folder.log)))
    _refuse_users(folder)
    folder.claim()
    succession.finish(folder)
    _discard_new(folder)
    return runner


def _refuse_users(folder: DataFolder) -> None:
    if not locks.is_free(folder.users_lock):
        raise InUseError(
            "Other processes use the embedded database. Stop every `bankloom serve` and `bankloom "
            "worker` with this data folder, close every psql, and repeat this. Nothing was changed."
        )


@contextmanager
def _both_running(folder: DataFolder, old: Programs, new: Programs) -> Iterator[Upgrade]:
    passwords = folder.passwords()
    place = succession.place_of_new(folder)
    place.create()
    place.take_passwords_of(folder)
    aside = _aside(folder)
    with ExitStack() as running:
        old_server = Server(aside, old, durable=True, settings=_READ_ONLY)
        running.enter_context(_running(aside, old_server, passwords))
        new_server = Server(place, new, durable=True)
        running.enter_context(_running(place, new_server, passwords))
        admin_url = place.url(SUPERUSER, passwords.admin, "postgres")
        service_role.create_missing(admin_url, passwords.service)
        yield Upgrade(
            old_major=folder.major or "",
            old_url=_service_url(aside, passwords),
            new_url=_service_url(place, passwords),
            kept=succession.place_of_old(folder, place.cluster),
        )


def _aside(folder: DataFolder) -> DataFolder:
    """Return the old data folder with its socket where no process looks for it.

    So a server that a crash left, which only reads, is joined by nobody: who comes next stops it.
    """
    sockets = DataFolder(succession.place_of_new(folder).path / "old")
    sockets.create()
    aside = DataFolder(folder.path, sockets=sockets.path)
    aside.home = folder.home
    return aside


@contextmanager
def _running(folder: DataFolder, server: Server, passwords: Passwords) -> Iterator[None]:
    try:
        server.bring_up(passwords)
        yield
    finally:
        _stop(folder, server)
        if not folder.socket_folder.is_relative_to(folder.home):
            with suppress(OSError):  # a temporary one, where the path was too long for a socket
                folder.socket_folder.rmdir()


def _service_url(folder: DataFolder, passwords: Passwords) -> str:
    return folder.url(service_role.ROLE, passwords.service, service_role.DATABASE)


def _discard_new(folder: DataFolder) -> None:
    """Remove what an upgrade that did not come to its end has made, and stop what it left running."""
    place = succession.place_of_new(folder)
    for each in (folder, place) if place.path.exists() else (folder,):
        _stop(each, Server(each, Programs(Path(), account.choose(each.cluster)), durable=True))
    if place.path.exists():
        shutil.rmtree(place.path)


def _stop(folder: DataFolder, server: Server) -> None:
    """Stop the server of a folder, if it runs; nobody uses it."""
    if not locks.is_free(folder.server_lock):
        server.shut_down()

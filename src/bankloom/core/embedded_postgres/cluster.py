"""Makes a cluster, starts its server, and stops it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from bankloom.core.embedded_postgres import locks
from bankloom.core.embedded_postgres.account import Account
from bankloom.core.embedded_postgres.binaries import MAJOR
from bankloom.core.embedded_postgres.errors import (
    OtherMajorError,
    StartFailedError,
    StopFailedError,
)
from bankloom.core.embedded_postgres.folder import SOCKET_NAME, DataFolder, Passwords, sync_folder
from bankloom.core.embedded_postgres.patience import POLL_S, Patience
from bankloom.core.embedded_postgres.server_settings import as_arguments

SUPERUSER = "postgres"
INITDB_S_MAX = 120.0
FAST_STOP_S_MAX = 30.0
IMMEDIATE_STOP_S_MAX = 10.0
LOG_LINES_QUOTED = 15


class Cluster:
    """One cluster on disk and its server. Whoever calls must hold `start.lock`, `is_up` aside."""

    def __init__(
        self, folder: DataFolder, account: Account, bin_dir: Path, *, durable: bool
    ) -> None:
        self._folder = folder
        self._account = account
        self._bin_dir = bin_dir
        self._durable = durable

    def check_version(self) -> None:
        """Refuse a cluster of another major version, before anything is changed."""
        if not self._folder.cluster.exists():
            return
        version_file = self._folder.cluster / "PG_VERSION"
        found = version_file.read_text().strip() if version_file.exists() else "an unknown version"
        if found != str(MAJOR):
            raise OtherMajorError(
                f"The database in {self._folder.cluster} was made by PostgreSQL {found}, and this "
                f"program brings PostgreSQL {MAJOR}. Nothing was changed. Dump it with the program "
                "version that made it and load the dump into a new data folder."
            )

    def bring_up(self, passwords: Passwords) -> None:
        """Wait until the server answers; start it if it is not there."""
        patience = Patience(self._folder.log)
        began_at_byte: int | None = None
        while not self._is_ready():
            if locks.is_free(self._folder.server_lock):
                if began_at_byte is not None:
                    raise StartFailedError(self._explain(began_at_byte, passwords))
                began_at_byte = self._launch(passwords)
            elif self._has_lost_socket():
                self.shut_down()
            else:
                patience.wait("the server is not ready yet")

    def is_up(self) -> bool:
        """Whether a server listens. A dead server's children do not hold its socket."""
        return listens(self._folder.socket_folder / SOCKET_NAME)

    def shut_down(self) -> None:
        """Stop the server and wait for all its processes; a fast stop loses nothing committed."""
        steps = ((signal.SIGINT, FAST_STOP_S_MAX), (signal.SIGQUIT, IMMEDIATE_STOP_S_MAX))
        for stop_signal, wait_s in steps:
            self._signal_server(stop_signal)
            deadline = time.monotonic() + wait_s
            while time.monotonic() < deadline:
                if locks.is_free(self._folder.server_lock):
                    return
                time.sleep(POLL_S)
        raise StopFailedError(
            f"The embedded PostgreSQL in {self._folder.cluster} does not stop. "
            f"Its log is {self._folder.log}."
        )

    def _is_ready(self) -> bool:
        lines = self._read_pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and self.is_up()  # noqa: PLR2004 - line 8 is the state

    def _has_lost_socket(self) -> bool:
        """Whether a running server can no longer be reached: someone tidied its socket away."""
        lines = self._read_pid_file()
        ready = len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 - line 8 is the state
        return ready and not (self._folder.socket_folder / SOCKET_NAME).exists()

    def _read_pid_file(self) -> list[str]:
        try:
            return (self._folder.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _launch(self, passwords: Passwords) -> int:
        """Start the server in the background; returns where its part of the log begins."""
        self._folder.rotate_log()
        with locks.exclusive(self._folder.server_lock, Patience(self._folder.log)) as lock:
            log = os.open(self._folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                began_at_byte = os.fstat(log).st_size
                if not self._folder.cluster.exists():
                    self._create(passwords, lock, log)
                self._remove_traces()
                self._run_detached(lock, log)
            finally:
                os.close(log)
        return began_at_byte

    def _create(self, passwords: Passwords, lock: int, log: int) -> None:
        """Make the cluster next to its place and move it there whole.

        So a crash in between leaves nothing that looks like a cluster.
        """
        unfinished = self._folder.home / "creating"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self._account.make_private_folder(unfinished)
        password_file = unfinished / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(passwords.admin)
        self._account.give(password_file)
        self._run_initdb(unfinished / "cluster", password_file, lock, log)
        (unfinished / "cluster").rename(self._folder.cluster)
        sync_folder(self._folder.home)
        shutil.rmtree(unfinished)

    def _run_initdb(self, target: Path, password_file: Path, lock: int, log: int) -> None:
        """Run initdb, with the built-in locale C.UTF-8.

        Text sorts by code point, the same on every machine and after every upgrade of its
        libraries, while upper and lower case are known for every language.
        """
        began_at_byte = os.fstat(log).st_size
        arguments: list[str | Path] = [
            self._bin_dir / "initdb",
            f"--pgdata={target}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        ]
        code = self._run(arguments, lock, log)
        if code != 0:
            raise StartFailedError(f"initdb ended with {code}. {self._quote_log(began_at_byte)}")

    def _remove_traces(self) -> None:
        """Remove what a dead server left.

        We hold `server.lock`, so it is dead, and so are all its children. PostgreSQL itself would
        go by the process id, which another may have by now.
        """
        socket_path = self._folder.socket_folder / SOCKET_NAME
        for path in (
            self._folder.cluster / "postmaster.pid",
            socket_path,
            socket_path.with_name(f"{SOCKET_NAME}.lock"),
        ):
            path.unlink(missing_ok=True)

    def _run_detached(self, lock: int, log: int) -> None:
        """Leave the server to init, through a shell that ends: its starter need not outlive it."""
        socket_folder = self._folder.make_socket_folder(self._account)
        server: list[str | Path] = [self._bin_dir / "postgres", "-D", self._folder.cluster]
        settings = as_arguments(socket_folder, durable=self._durable)
        self._run(["/bin/sh", "-c", '"$@" &', "sh", *server, *settings], lock, log)

    def _run(self, arguments: list[str | Path], lock: int, log: int) -> int:
        """Run a program as the server's account, with nothing of our own surroundings in it."""
        return subprocess.run(  # noqa: S603 - our own arguments, no shell text of a user
            arguments,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C in the terminal is for the service, which then leaves
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=INITDB_S_MAX,
            umask=0o077,
            **self._account.process_options,
        ).returncode

    def _signal_server(self, stop_signal: signal.Signals) -> None:
        lines = self._read_pid_file()
        if lines and _is_server(int(lines[0]), self._folder.cluster):
            try:
                os.kill(int(lines[0]), stop_signal)
            except ProcessLookupError:
                return  # it ended by itself, which is what we want

    def _explain(self, began_at_byte: int, passwords: Passwords) -> str:
        quoted = passwords.hide_in(self._quote_log(began_at_byte))
        return f"The embedded PostgreSQL did not start. {quoted}"

    def _quote_log(self, began_at_byte: int) -> str:
        with self._folder.log.open("rb") as log:
            log.seek(began_at_byte)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join([f"The end of {self._folder.log} says:", *lines[-LOG_LINES_QUOTED:]])


def listens(socket_path: Path) -> bool:
    """Whether anyone answers at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(os.fspath(socket_path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except (BlockingIOError, TimeoutError):
            return True  # it has more callers than it can take just now
    return True


def _is_server(pid: int, cluster: Path) -> bool:
    """Whether a process is the server of this cluster; taken on trust where /proc is missing."""
    if not Path("/proc/self").exists():
        return True
    try:
        return os.fsencode(cluster) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False

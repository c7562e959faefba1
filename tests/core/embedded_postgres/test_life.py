"""How long the server lives: from its first user to its last, whatever happens between."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from bankloom.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from harness import wait_until

Servers = Callable[[], list[psutil.Process]]


def test_the_last_user_out_stops_the_server(data_dir: Path, servers: Servers) -> None:
    """A command beside a running service joins and leaves without stopping it."""
    service = EmbeddedPostgres(data_dir, durable=False).start()
    with EmbeddedPostgres(data_dir) as command:
        assert command.url == service.url
    assert answers(service.url)
    service.stop()
    assert servers() == []


def test_the_starter_may_leave_first(data_dir: Path, servers: Servers) -> None:
    """It makes no difference who started the server, nor does a second stop."""
    starter = EmbeddedPostgres(data_dir, durable=False).start()
    other = EmbeddedPostgres(data_dir).start()
    starter.stop()
    starter.stop()
    assert answers(other.url)
    other.stop()
    assert servers() == []


def test_it_survives_the_death_of_its_starter(
    data_dir: Path, new_user: Callable[..., Any], servers: Servers
) -> None:
    """`kill -9` of the process that started the server leaves the others working."""
    starter = new_user(data_dir)
    starter.do("start")
    with EmbeddedPostgres(data_dir) as other:
        (server,) = servers()
        starter.kill()
        other.ensure_running()
        assert answers(other.url)
        assert servers() == [server]
    assert servers() == []


def test_an_abandoned_server_is_taken_over(
    data_dir: Path, new_user: Callable[..., Any], servers: Servers
) -> None:
    """After a crash of its only user the next start finds the server, and its end stops it."""
    user = new_user(data_dir)
    user.do("start")
    abandoned = servers()
    user.kill()
    with EmbeddedPostgres(data_dir):
        assert servers() == abandoned
    assert servers() == []


def test_joining_while_the_last_one_leaves(data_dir: Path, servers: Servers) -> None:
    """Whoever has started may rely on the server, however many others come and go just then."""

    def come_and_go(_: int) -> bool:
        with EmbeddedPostgres(data_dir, durable=False) as server:
            return answers(server.url)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(come_and_go, range(24)))
    assert servers() == []


def test_users_of_a_dead_server_restart_it_once(
    data_dir: Path, new_user: Callable[..., Any], servers: Servers
) -> None:
    """When two users notice at once that the server died, one starts it and both go on."""
    users = [new_user(data_dir) for _ in range(2)]
    for user in users:
        user.do("start")
    kill_all(servers())
    for user in users:
        user.tell("ensure_running")
    assert all(answers(user.answer()) for user in users)
    assert len(servers()) == 1
    assert starts_in_log(data_dir) == 2


def test_a_reused_process_id_does_not_stop_a_restart(data_dir: Path, servers: Servers) -> None:
    """The pid file of a dead server may name a process of today, which is none of our business."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        owner = servers()[0].uids().real
        kill_all(servers())
        with bystander(owner) as innocent:
            pid_file = data_dir / "cluster" / "postmaster.pid"
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
            server.ensure_running()
            assert answers(server.url)
            assert innocent.poll() is None
            innocent.kill()


def test_a_busy_child_of_a_dead_server_does_not_stop_a_restart(
    data_dir: Path, servers: Servers, until: Callable[[Callable[[], object]], None]
) -> None:
    """A query that outlives its server is ended: it still holds the shared memory."""
    with (
        EmbeddedPostgres(data_dir, durable=False) as server,
        psycopg.connect(server.url, autocommit=True) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        child = psutil.Process(client.info.backend_pid)
        endless = "DO 'BEGIN LOOP PERFORM 1; END LOOP; END'"
        query = thread.submit(client.execute, endless)
        until(lambda: "DO" in " ".join(child.cmdline()))
        servers()[0].kill()
        server.ensure_running()
        assert answers(server.url)
        assert isinstance(query.exception(), psycopg.OperationalError)


def test_an_interrupted_starter_leaves_no_server(data_dir: Path, servers: Servers) -> None:
    """A Ctrl-C that comes before the caller holds the started server still ends it."""
    ended = subprocess.run(
        [sys.executable, "-c", STARTER, str(data_dir)], check=False, capture_output=True, timeout=60
    )
    assert b"KeyboardInterrupt" in ended.stderr
    assert starts_in_log(data_dir) == 1
    wait_until(lambda: not servers())


STARTER = """
import sys
from pathlib import Path
from bankloom.core.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False).start()
raise KeyboardInterrupt
"""


def test_a_server_in_recovery_is_waited_for(data_dir: Path, servers: Servers) -> None:
    """After a crash of one of its processes the server recovers by itself and is not replaced."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        before = servers()
        with psycopg.connect(server.url) as client:
            psutil.Process(client.info.backend_pid).kill()
            with pytest.raises(psycopg.OperationalError):
                client.execute("SELECT 1")
        # The client sees its process die before the server does, which until then answers as ever.
        wait_until(lambda: "reinitializing" in (data_dir / "postgres.log").read_text())
        server.ensure_running()
        assert answers(server.url)
        assert servers() == before


def test_a_server_without_its_socket_is_replaced(data_dir: Path) -> None:
    """A clean-up of old files may take the socket away; the next look at it puts that right."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        (data_dir / "run" / ".s.PGSQL.5432").unlink()
        server.ensure_running()
        assert answers(server.url)
        assert starts_in_log(data_dir) == 2


def test_what_was_committed_survives_a_killed_server(data_dir: Path, servers: Servers) -> None:
    """With durable=True a commit is kept when every process of the server is killed."""
    with EmbeddedPostgres(data_dir) as server:
        with psycopg.connect(server.url) as client:
            client.execute("CREATE TABLE kept AS SELECT 1 AS one")
        kill_all(servers())
        server.ensure_running()
        with psycopg.connect(server.url) as client:
            assert client.execute("SELECT one FROM kept").fetchone() == (1,)
            assert client.execute("SHOW fsync").fetchone() == ("on",)


def test_a_user_who_left_does_not_start_it_again(data_dir: Path, servers: Servers) -> None:
    """A watching thread that is late must not bring back a server that its process has left."""
    server = EmbeddedPostgres(data_dir, durable=False).start()
    server.stop()
    with pytest.raises(EmbeddedPostgresError) as caught:
        server.ensure_running()
    assert caught.value.code == "embedded_postgres_not_started"
    assert servers() == []


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data_dir: Path, servers: Servers) -> None:
    """The server lives in a session of its own, so the service can finish before it."""
    with EmbeddedPostgres(data_dir, durable=False):
        assert os.getsid(servers()[0].pid) != os.getsid(0)
        assert os.getpgid(servers()[0].pid) != os.getpgid(0)


def test_stopping_after_the_data_was_deleted(data_dir: Path) -> None:
    """Leaving a database whose folder is gone is no error; PostgreSQL ends by itself."""
    server = EmbeddedPostgres(data_dir, durable=False).start()
    data_dir.rename(data_dir.with_name("elsewhere"))
    server.stop()
    data_dir.with_name("elsewhere").rename(data_dir)


def answers(url: str) -> bool:
    with psycopg.connect(url) as client:
        return client.execute("SELECT current_database()").fetchone() == ("bankloom",)


def kill_all(servers: list[psutil.Process]) -> None:
    for server in servers:
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)


def starts_in_log(data_dir: Path) -> int:
    return (data_dir / "postgres.log").read_text().count("starting PostgreSQL")


def bystander(uid: int) -> subprocess.Popen[bytes]:
    """Start an unrelated process of the server's own account: PostgreSQL trusts such an id."""
    return subprocess.Popen(["sleep", "300"], user=uid if os.geteuid() == 0 else None)

"""Who gets in, as whom, through which door, and what they find there."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from bankloom.core.embedded_postgres import EmbeddedPostgres


@pytest.mark.parametrize("role", ["bankloom", "postgres"])
@pytest.mark.parametrize("password", ["", "guess"])
def test_nobody_enters_without_the_password(
    shared: EmbeddedPostgres, role: str, password: str
) -> None:
    """Reaching the socket is not enough, for the service's role and the superuser alike."""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(shared.url, user=role, password=password, dbname="postgres")


def test_what_is_secret_is_private(shared: EmbeddedPostgres, shared_dir: Path) -> None:
    """The passwords, the log and the locks are for their owner, the socket for its folder's."""
    files = ("passwords.json", "postgres.log", "start.lock", "users.lock", "server.lock")
    assert {mode(shared_dir / name) for name in files} == {0o600}
    assert mode(shared_dir / "run") == mode(shared_dir / "cluster") == 0o700
    assert str(shared_dir / "run") in shared.url
    assert mode(shared_dir / "run" / ".s.PGSQL.5432") == 0o700


def test_passwords_differ_and_stay_out_of_the_log(
    shared: EmbeddedPostgres, shared_dir: Path
) -> None:
    """Each role has a password of its own, which the server never sees written out."""
    passwords = [conninfo_to_dict(url)["password"] for url in (shared.url, shared.admin_url)]
    log = (shared_dir / "postgres.log").read_text()
    assert passwords[0] != passwords[1]
    assert not any(str(password) in log for password in passwords)


def test_there_is_no_door_but_the_socket(shared: EmbeddedPostgres, shared_dir: Path) -> None:
    """The server listens on no network address, not even this machine's own."""
    with psycopg.connect(shared.admin_url) as admin:
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
    pid = (shared_dir / "cluster" / "postmaster.pid").read_text().splitlines()[0]
    assert psutil.Process(int(pid)).net_connections(kind="inet") == []


def test_the_role_can_make_roles_but_is_no_superuser(shared: EmbeddedPostgres) -> None:
    """The service makes the role that row-level security confines, and nothing beyond that."""
    attributes = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    with psycopg.connect(shared.url) as client:
        own = client.execute(f"{attributes} FROM pg_roles WHERE rolname = current_user")
        assert own.fetchone() == (False, True, False, False, False)
        client.execute("CREATE ROLE confined; GRANT confined TO current_user; SET ROLE confined")


def test_the_database_is_the_same_on_every_machine(shared: EmbeddedPostgres) -> None:
    """UTF-8, UTC and code point order, wherever it was made; upper and lower case in any script."""
    query = """
        SELECT pg_encoding_to_char(encoding), datlocprovider::text, datlocale, datdba::regrole::text,
               current_setting('TimeZone'), lower('ÉΔ'), 'a' > 'B'
          FROM pg_database WHERE datname = current_database()
    """
    with psycopg.connect(shared.url) as client:
        found = client.execute(query).fetchone()
    assert found == ("UTF8", "b", "C.UTF-8", "bankloom", "UTC", "éδ", True)


def test_the_admin_copies_databases(shared: EmbeddedPostgres) -> None:
    """Tests take a fresh copy of a prepared database each, through `admin_url`."""
    with psycopg.connect(shared.url) as client:
        client.execute("CREATE TABLE prepared AS SELECT 1 AS one")
    with psycopg.connect(shared.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE copied TEMPLATE bankloom OWNER bankloom")
    with psycopg.connect(shared.url, dbname="copied") as client:
        assert client.execute("SELECT one FROM prepared").fetchone() == (1,)


@pytest.mark.parametrize("name", ["a b 100% q'uote Æ$HOME;&", 'a,b"c', "x" * 150])
def test_any_path_will_do(data_dir: Path, name: str) -> None:
    """No character or length of the data folder's path keeps psycopg or SQLAlchemy out."""
    folder = data_dir.rename(data_dir.with_name(name))
    with EmbeddedPostgres(folder, durable=False) as server:
        with psycopg.connect(server.url) as client:
            assert client.info.user == "bankloom"
        url = sqlalchemy.make_url(server.url).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1


def test_a_long_path_gets_one_private_socket_folder(
    data_dir: Path, new_user: Callable[..., Any], tmp_path: Path
) -> None:
    """Every process finds the same socket folder, whatever its own temporary folder is."""
    long = data_dir.rename(data_dir.with_name("x" * 100))
    with EmbeddedPostgres(long, durable=False) as server:
        folder = socket_folder(server)
        assert mode(folder) == 0o700
        assert new_user(long, TMPDIR=str(tmp_path)).do("start") == server.url
        assert any(str(folder) in note for note in server.notes)


def test_a_planted_socket_folder_is_not_used(data_dir: Path, tmp_path: Path) -> None:
    """A link in place of the recorded folder, as another user could plant it, is passed by."""
    long = data_dir.rename(data_dir.with_name("x" * 100))
    server = EmbeddedPostgres(long, durable=False).start()
    folder = socket_folder(server)
    server.stop()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with server.start(), psycopg.connect(server.url):
        assert socket_folder(server) != folder
        assert list(tmp_path.iterdir()) == []
    folder.unlink()


def test_our_surroundings_do_not_reach_the_server(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """Settings for other PostgreSQL servers change nothing, and nothing is printed."""
    program = f"""
import os
from pathlib import Path
from bankloom.core.embedded_postgres import EmbeddedPostgres
import psycopg
server = EmbeddedPostgres(Path({str(data_dir)!r})).start()
psycopg.connect(server.url).close()
os._exit(0)  # the server is to be looked at
"""
    surroundings = {
        "PGPORT": "1",
        "PGHOST": "nowhere",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
        "PGDATABASE": "none",
        "PGPASSWORD": "wrong",
        "LC_ALL": "xx_XX",
    }
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | surroundings,
        check=True,
        capture_output=True,
    )
    assert (printed.stdout, printed.stderr) == (b"", b"")
    (server,) = servers()
    assert not server.environ().keys() & surroundings.keys() - {"LC_ALL"}
    assert server.environ()["LC_ALL"] == "C"


def socket_folder(server: EmbeddedPostgres) -> Path:
    return Path(str(conninfo_to_dict(server.url)["host"]))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)

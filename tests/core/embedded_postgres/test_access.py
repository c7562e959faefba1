"""Who gets in, as whom, through which door, and what they find there."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
import sqlalchemy

from bankloom.core.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.core.embedded_postgres.conftest import UserProcess


@pytest.mark.parametrize("role", ["bankloom", "postgres"])
@pytest.mark.parametrize("password", ["", "guess"])
def test_nobody_enters_without_the_password(data_dir: Path, role: str, password: str) -> None:
    """Reaching the socket is not enough, for the service's role and the superuser alike."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        socket_folder = psycopg.conninfo.conninfo_to_dict(server.url)["host"]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host=socket_folder, user=role, password=password, dbname="postgres", port=5432
            )


def test_what_is_secret_is_private(data_dir: Path) -> None:
    """The passwords, the log and the locks are for their owner, the socket for its folder's."""
    with EmbeddedPostgres(data_dir, durable=False):
        files = ("passwords.json", "postgres.log", "start.lock", "users.lock", "server.lock")
        assert {mode(data_dir / name) for name in files} == {0o600}
        assert mode(data_dir / "run") == mode(data_dir / "cluster") == 0o700
        assert mode(data_dir / "run" / ".s.PGSQL.5432") == 0o700


def test_passwords_differ_and_stay_out_of_the_log(empty_dir: Path) -> None:
    """Each cluster and role has a password of its own, which the server never sees written."""
    with EmbeddedPostgres(empty_dir, durable=False) as server:
        addresses = (server.url, server.admin_url)
        passwords = {psycopg.conninfo.conninfo_to_dict(url)["password"] for url in addresses}
        log = (empty_dir / "postgres.log").read_text()
        assert len(passwords) == 2
        assert not any(str(password) in log for password in passwords)


def test_there_is_no_door_but_the_socket(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """The server listens on no network address, not even this machine's own."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        with psycopg.connect(server.admin_url) as admin:
            assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
        assert servers()[0].net_connections(kind="inet") == []


def test_the_role_can_make_roles_but_is_no_superuser(data_dir: Path) -> None:
    """The service makes the role that row-level security confines, and nothing beyond that."""
    attributes = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    with (
        EmbeddedPostgres(data_dir, durable=False) as server,
        psycopg.connect(server.url) as client,
    ):
        own = client.execute(f"{attributes} FROM pg_roles WHERE rolname = current_user")
        assert own.fetchone() == (False, True, False, False, False)
        client.execute("CREATE ROLE confined; GRANT confined TO current_user; SET ROLE confined")


def test_the_database_is_the_same_on_every_machine(data_dir: Path) -> None:
    """UTF-8, UTC and code point order, wherever it was made; upper and lower case in any script."""
    query = """
        SELECT pg_encoding_to_char(encoding), datlocprovider::text, datlocale, datdba::regrole::text,
               current_setting('TimeZone'), lower('ÉΔ'), 'a' > 'B'
          FROM pg_database WHERE datname = current_database()
    """
    with (
        EmbeddedPostgres(data_dir, durable=False) as server,
        psycopg.connect(server.url) as client,
    ):
        found = client.execute(query).fetchone()
        assert found == ("UTF8", "b", "C.UTF-8", "bankloom", "UTC", "éδ", True)


def test_the_admin_copies_databases(data_dir: Path) -> None:
    """Tests take a fresh copy of a prepared database each, through `admin_url`."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        with psycopg.connect(server.url) as client:
            client.execute("CREATE TABLE prepared AS SELECT 1 AS one")
        with psycopg.connect(server.admin_url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE copied TEMPLATE bankloom OWNER bankloom")
        with psycopg.connect(server.url, dbname="copied") as client:
            assert client.execute("SELECT one FROM prepared").fetchone() == (1,)


@pytest.mark.parametrize("name", ["with space", "a,b", "100%", "q'uo\"te", "Æ$HOME;&", "x" * 150])
def test_any_path_will_do(empty_dir: Path, name: str) -> None:
    """No character or length of the data folder's path keeps psycopg or SQLAlchemy out."""
    with EmbeddedPostgres(empty_dir / name, durable=False) as server:
        with psycopg.connect(server.url) as client:
            assert client.info.user == "bankloom"
        url = sqlalchemy.make_url(server.url).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1


def test_a_long_path_gets_one_private_socket_folder(
    empty_dir: Path, new_user: "Callable[..., UserProcess]", tmp_path: Path
) -> None:
    """Every process finds the same socket folder, whatever its own temporary folder is."""
    long = empty_dir / ("x" * 100)
    with EmbeddedPostgres(long, durable=False) as server:
        folder = Path(str(psycopg.conninfo.conninfo_to_dict(server.url)["host"]))
        assert mode(folder) == 0o700
        assert new_user(long, TMPDIR=str(tmp_path)).do("start") == server.url
        assert any(str(folder) in note for note in server.notes)


def test_a_planted_socket_folder_is_not_used(empty_dir: Path, tmp_path: Path) -> None:
    """A link in place of the recorded folder, as another user could plant it, is passed by."""
    server = EmbeddedPostgres(empty_dir / ("x" * 100), durable=False).start()
    folder = Path(str(psycopg.conninfo.conninfo_to_dict(server.url)["host"]))
    server.stop()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with server.start(), psycopg.connect(server.url):
        assert f"host={folder}&" not in server.url
        assert list(tmp_path.iterdir()) == []
    folder.unlink()


def test_our_surroundings_do_not_reach_the_server(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """Settings for other PostgreSQL servers change nothing, and nothing is printed."""
    program = f"""
from pathlib import Path
from bankloom.core.embedded_postgres import EmbeddedPostgres
import psycopg
server = EmbeddedPostgres(Path({str(data_dir)!r})).start()
psycopg.connect(server.url).close()
"""
    surroundings = {"PGPORT": "1", "PGHOST": "nowhere", "PGDATA": "/nowhere", "LC_ALL": "xx_XX"}
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=surroundings | {"PGUSER": "nobody", "PGDATABASE": "none", "PGPASSWORD": "wrong"},
        check=True,
        capture_output=True,
    )
    assert (printed.stdout, printed.stderr) == (b"", b"")
    (server,) = servers()
    assert not server.environ().keys() & surroundings.keys() - {"LC_ALL"}
    assert server.environ()["LC_ALL"] == "C"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)

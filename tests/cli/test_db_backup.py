"""`bankloom db backup` and `bankloom db restore`: taken from a running service, whole or not there."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import outside_server
from bankloom.cli.acting import actor
from bankloom.core.keyring import Keyring
from commands import COMMAND, bankloom
from database_copies import (
    Place,
    assert_goes_on,
    hashes,
    held_in_the_middle,
    is_empty,
    linked_and_synced,
    noted,
    started,
    waits_for_a_lock,
)
from harness import wait_until
from scenes import SYNC_PATH, holding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from outside_server import OutsideServer
    from platypus_bank.testing import Running

AN_ITEM = """
    WITH ada AS (INSERT INTO bankloom.users (name) VALUES ('ada') RETURNING id)
    INSERT INTO bankloom.items (item_id, user_id, environment, base_url, client_id,
                                access_token_sealed, access_token_hash)
    SELECT 'item', id, 'production', 'https://elsewhere', 'other', %s, %s FROM ada
"""


@pytest.fixture
def empty_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE empty OWNER bankloom")
        yield cluster.url.replace("/bankloom?", "/empty?")
        admin.execute("DROP DATABASE empty WITH (FORCE)")


@pytest.fixture
def place(bank: Running, embedded_database_url: str, tmp_path: Path) -> Place:
    """A database with one Item, and the keyring that opens its token."""
    place = Place(bank, tmp_path / "data", embedded_database_url)
    place.data_dir.mkdir()
    keyring = Keyring.load_or_create(place.data_dir / "keyring")
    token = "access-sandbox-secret"
    with psycopg.connect(embedded_database_url) as own:
        own.execute(AN_ITEM, [keyring.seal(token, "item"), keyring.hash(token)])
    return place


@pytest.fixture
def file(place: Place, tmp_path: Path) -> Path:
    """A backup of that place."""
    file = tmp_path / "bank.backup"
    written = bankloom(place.environment, "db", "backup", str(file))
    assert written.returncode == 0, written.stderr
    return file


def test_a_busy_services_backup_goes_on_elsewhere(
    bank: Running, reachable_dir: Path, tmp_path: Path
) -> None:
    """Taken in the middle of a run, restored into a new data folder: the run is taken over there."""
    old, new = Place(bank, reachable_dir / "old"), Place(bank, reachable_dir / "new")
    file = tmp_path / "bank.backup"
    with old.serving() as api:
        item_id = linked_and_synced(api, bank)
        bank.control.bulk(item_id, 600)
        with holding(bank, SYNC_PATH, after=1) as hold:
            assert api.sync(item_id, wait=False)["status"] == "queued"
            hold.reached()
            written = bankloom(old.environment, "db", "backup", str(file))
            assert written.returncode == 0, written.stderr
    assert "items 1, accounts 1, transactions 700" in written.stderr
    assert str(old.data_dir / "keyring") in written.stderr
    new.take_keyring_of(old)
    restored = bankloom(new.environment, "db", "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    with new.looking() as database:
        left = database.execute("SELECT id, worker_id FROM bankloom_jobs.procrastinate_jobs")
        jobs = {row[0] for row in left.fetchall() if row[1] is not None}
    assert jobs, "the backup was not taken in the middle of a job"
    assert_goes_on(new, item_id)
    with new.looking() as database:
        still = "SELECT count(*) FROM bankloom_jobs.procrastinate_jobs WHERE id = ANY(%s)"
        assert database.execute(still, [list(jobs)]).fetchone() == (0,)


def test_a_restored_database_is_the_same(file: Path, place: Place, empty_url: str) -> None:
    """Every table has the rows that it had."""
    restored = bankloom(place.at(empty_url).environment, "db", "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert hashes(empty_url) == hashes(place.url)
    assert "items 1" in restored.stdout
    needed = "of its keys this needs 'main', 'index'"
    assert f"The keyring was not in it, and is as it was here; {needed}." in restored.stdout
    with psycopg.connect(empty_url) as own:
        comment = "SELECT obj_description('bankloom.sealing_keys'::regclass)"
        assert "never in this database, nor in a backup" in str(own.execute(comment).fetchone())
    backed_up = ("database.backed_up", actor())
    assert noted(place.url) == [backed_up]
    assert noted(empty_url) == [backed_up, ("database.restored", actor())]


@pytest.mark.skipif(not outside_server.is_available(), reason=outside_server.NOT_RUN)
def test_the_oldest_server_takes_the_newest_ones_backup(
    file: Path, place: Place, outside: OutsideServer, tmp_path: Path
) -> None:
    """From PostgreSQL 18 into 15 and back again, though 15 does not know all that 18 sets."""
    second = tmp_path / "second.backup"
    with outside.database() as url:
        there = place.at(url).environment
        restored = bankloom(there, "db", "restore", str(file))
        assert restored.returncode == 0, restored.stderr
        assert hashes(url) == hashes(place.url)
        assert bankloom(there, "db", "backup", str(second)).returncode == 0
    with psycopg.connect(place.url, autocommit=True) as own:
        before = hashes(place.url)
        own.execute("DROP SCHEMA bankloom, bankloom_jobs, bank CASCADE")
    restored = bankloom(place.environment, "db", "restore", str(second))
    assert restored.returncode == 0, restored.stderr
    assert hashes(place.url) == before


def test_standard_output_takes_a_backup(place: Place, empty_url: str, tmp_path: Path) -> None:
    """With - it goes to another program; what is said of it goes to stderr."""
    file = tmp_path / "piped"
    environment = {**os.environ, **place.environment}
    with file.open("wb") as stdout:
        ended = subprocess.run(
            [*COMMAND, "db", "backup", "-"],
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=True,
        )
    assert b"keyring" in ended.stderr
    assert bankloom(place.at(empty_url).environment, "db", "restore", str(file)).returncode == 0


def test_a_backup_is_private_and_replaces_an_older_one(file: Path, place: Place) -> None:
    """Mode 0600, and nothing is left beside it."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.stat().st_ino
    assert bankloom(place.environment, "db", "backup", str(file)).returncode == 0
    assert file.stat().st_ino != first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == ["bank.backup", "data"]


def test_what_is_no_backup_is_not_written_over(place: Place) -> None:
    """A slip of the hand does not cost the keyring."""
    keyring = place.data_dir / "keyring"
    before = keyring.read_text()
    refused = bankloom(place.environment, "db", "backup", str(keyring))
    assert refused.returncode == 1
    assert "is no backup" in refused.stderr
    assert keyring.read_text() == before


def test_a_backup_that_is_ended_leaves_the_older_one(file: Path, place: Place) -> None:
    """Whole or not there; and pg_dump has the password by its environment, not in its arguments."""
    before = file.read_bytes()
    password = conninfo_to_dict(place.url)["password"]
    with psycopg.connect(place.url) as holder:
        holder.execute("LOCK TABLE bankloom.institutions")
        command = started(place.environment, "db", "backup", str(file))
        wait_until(lambda: waits_for_a_lock(place.url))
        (dumping,) = psutil.Process(command.pid).children()
        assert dumping.environ()["PGPASSWORD"] == password
        assert password not in " ".join(
            [*dumping.cmdline(), *psutil.Process(command.pid).cmdline()]
        )
        command.send_signal(signal.SIGTERM)
        assert command.wait(30) != 0
        assert not dumping.is_running()
    command.communicate()
    assert file.read_bytes() == before
    assert sorted(each.name for each in file.parent.iterdir()) == ["bank.backup", "data"]


def test_a_database_without_tables_is_not_backed_up(
    place: Place, empty_url: str, tmp_path: Path
) -> None:
    """A backup of nothing would be taken for one of something."""
    refused = bankloom(place.at(empty_url).environment, "db", "backup", str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "no tables of Bankloom" in refused.stderr
    assert not (tmp_path / "none").exists()


# What is not restored


def refused(place: Place, file: Path) -> str:
    """Try to restore; return what is said."""
    ended = bankloom(place.environment, "db", "restore", str(file))
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize("garbage", [b"", b"Dear diary", b"PGDMP and then nothing"])
def test_garbage_is_refused(place: Place, empty_url: str, tmp_path: Path, garbage: bytes) -> None:
    """A file that is no backup is named, and the database stays empty."""
    file = tmp_path / "garbage"
    file.write_bytes(garbage)
    assert "is no backup" in refused(place.at(empty_url), file)
    assert "can't be read" in refused(place.at(empty_url), tmp_path / "missing")
    assert is_empty(empty_url)


@pytest.mark.parametrize("missing_bytes", [3, 100, 500, 30_000])
def test_a_cut_off_backup_leaves_nothing(
    file: Path, place: Place, empty_url: str, missing_bytes: int
) -> None:
    """Wherever a copy of the file was cut off, nothing of it stays."""
    file.write_bytes(file.read_bytes()[:-missing_bytes])
    assert "failed" in refused(place.at(empty_url), file)
    assert is_empty(empty_url)


def test_others_dumps_are_refused(
    place: Place, empty_url: str, tmp_path: Path, cluster: EmbeddedPostgres
) -> None:
    """A dump of some other database is told from a backup."""
    file = tmp_path / "other.dump"
    with psycopg.connect(empty_url) as other:
        other.execute("CREATE SCHEMA shop CREATE TABLE orders ()")
    dump: list[str | Path] = [
        cluster.bin_dir / "pg_dump",
        "-Fc",
        "-n",
        "shop",
        "-f",
        file,
        "-d",
        empty_url,
    ]
    subprocess.run(dump, check=True)
    assert "schemas shop" in refused(place.at(empty_url), file)
    assert is_empty(empty_url)


def test_a_newer_schema_is_refused(place: Place, empty_url: str, tmp_path: Path) -> None:
    """A backup of a later version waits for that version."""
    file = tmp_path / "newer"
    with psycopg.connect(place.url) as own:
        own.execute("UPDATE bankloom.alembic_version SET version_num = '9999'")
    assert bankloom(place.environment, "db", "backup", str(file)).returncode == 0
    assert "newer Bankloom (schema 9999)" in refused(place.at(empty_url), file)
    assert is_empty(empty_url)


@pytest.mark.parametrize("lost", ["all of it", "the file", "the index key"])
def test_a_keyring_that_does_not_fit_is_refused(
    file: Path, place: Place, empty_url: str, lost: str
) -> None:
    """Without the keys the tokens are worthless: that is said before anything is restored."""
    keyring = place.data_dir / "keyring"
    data_key, index_key = keyring.read_text().split()
    keyring.unlink()
    if lost != "the file":
        Keyring.load_or_create(keyring)
        fresh_data_key, fresh_index_key = keyring.read_text().split()
        kept = data_key if lost == "the index key" else fresh_data_key
        keyring.write_text(f"{kept}\n{fresh_index_key}\n")
        assert fresh_index_key != index_key
    assert "keyring" in refused(place.at(empty_url), file)
    assert is_empty(empty_url)
    assert keyring.exists() == (lost != "the file")


def test_only_an_empty_database_is_filled(file: Path, place: Place) -> None:
    """Where there are tables, they stay as they are."""
    before = hashes(place.url)
    assert "not empty" in refused(place, file)
    assert hashes(place.url) == before


def test_a_killed_restore_leaves_nothing(file: Path, place: Place, empty_url: str) -> None:
    """Killed in the middle, the database is as empty as before, and takes a second try."""
    there = place.at(empty_url)
    with held_in_the_middle(empty_url):
        command = started(there.environment, "db", "restore", str(file))
        wait_until(lambda: waits_for_a_lock(empty_url))
        command.kill()
        command.communicate()
    wait_until(lambda: not waits_for_a_lock(empty_url))
    assert is_empty(empty_url)
    assert bankloom(there.environment, "db", "restore", str(file)).returncode == 0
    assert hashes(empty_url) == hashes(place.url)

"""`bankloom db upgrade`: an embedded database of an older PostgreSQL, and nothing lost at any kill."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import psutil
import psycopg
import pytest

import outside_server
from bankloom import migrations
from bankloom.core.db import Database
from bankloom.core.embedded_postgres import (
    account,
    binaries,
    creation,
    locks,
    service_role,
    succession,
)
from bankloom.core.embedded_postgres.folder import DataFolder
from bankloom.core.embedded_postgres.home import STATE_DIR
from bankloom.core.embedded_postgres.programs import Programs
from bankloom.core.embedded_postgres.server import Server
from commands import bankloom
from database_copies import Place, assert_goes_on, hashes, linked_and_synced, started
from harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.services.copies.table_hashes import TableHash
    from platypus_bank.testing import Running

BUNDLED = 16
SOME_ROWS = """
    INSERT INTO bankloom.institutions (institution_id, name)
    SELECT 'ins_' || n, 'Bank ' || n FROM generate_series(1, 5000) n
"""
debian = pytest.mark.skipif(
    not (outside_server.DEBIAN_PROGRAMS / "initdb").exists(), reason=outside_server.NOT_RUN
)


@contextmanager
def old_server(data_dir: Path, bin_dir: Path | None = None) -> Iterator[str]:
    """Run a server of an older version as a data folder's own; give the service's URL."""
    folder = folder_of(data_dir)
    folder.create()
    runner = account.choose(folder.cluster)
    folder.settle(runner)
    programs = Programs(bin_dir or binaries.find(runner, STATE_DIR, BUNDLED), runner)
    passwords = folder.passwords()
    server = Server(folder, programs, durable=False)
    # What today's clusters are made with, the old initdb does not know.
    with mock.patch.object(creation, "_LOCALE", ("--encoding=UTF8", "--locale=C")):
        server.bring_up(passwords)
    try:
        admin_url = folder.url(creation.SUPERUSER, passwords.admin, "postgres")
        service_role.create_missing(admin_url, passwords.service)
        yield folder.url(service_role.ROLE, passwords.service, service_role.DATABASE)
    finally:
        server.shut_down()


def folder_of(data_dir: Path) -> DataFolder:
    return DataFolder((data_dir / "postgres").resolve())


@pytest.fixture
def place(bank: Running, reachable_dir: Path) -> Place:
    """A data folder that is not there yet."""
    return Place(bank, reachable_dir / "data")


@pytest.fixture
def before(place: Place) -> dict[str, TableHash]:
    """Fill the data folder with an old cluster, and give the hashes of its tables."""
    with old_server(place.data_dir) as url:
        migrated(url)
        return hashes(url)


def migrated(url: str) -> None:
    """Make the tables, with some rows."""
    database = Database(url)
    migrations.upgrade(database)
    database.close()
    with psycopg.connect(url) as own:
        own.execute(SOME_ROWS.encode())


def upgraded(place: Place, *arguments: str) -> str:
    """Upgrade and return what is said."""
    ended = bankloom(place.environment, "db", "upgrade", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(place: Place, *arguments: str) -> str:
    """Try to upgrade; return what is said."""
    ended = bankloom(place.environment, "db", "upgrade", *arguments)
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


def versions(place: Place) -> dict[str, str]:
    """Return the version of each cluster in the data folder, by name without its date."""
    found = folder_of(place.data_dir).path.glob("*/PG_VERSION")
    return {
        each.parent.name.rpartition("-2")[0] or each.parent.name: each.read_text().strip()
        for each in found
    }


@debian
def test_an_old_database_goes_on_in_a_new_one(place: Place, bank: Running) -> None:
    """Synced on PostgreSQL 15, refused by this version, upgraded, it syncs on; the old one is kept."""
    programs = outside_server.DEBIAN_PROGRAMS
    with old_server(place.data_dir, programs) as url:
        there = place.at(url)
        with there.serving() as api:
            item_id = linked_and_synced(api, bank)
        reader_url = bankloom(there.environment, "db", "url").stdout.strip()
        with psycopg.connect(url) as own:
            own.execute("CREATE SCHEMA mine CREATE TABLE notes ()")
        before = hashes(url)
    assert "bankloom db upgrade" in bankloom(place.environment, "serve", "--port", "0").stderr
    assert "--old-bin-dir" in refused(place)
    said = upgraded(place, "--old-bin-dir", str(programs))
    assert "from PostgreSQL 15 to 18" in said
    assert "the table mine.notes" in said
    assert versions(place) == {"cluster": "18", "cluster-15": "15"}
    with place.looking() as database:
        assert place.hashes() == before
        assert database.info.server_version // 10_000 == 18
        with psycopg.connect(reader_url) as reader:
            assert reader.execute("SELECT count(*) FROM transactions").fetchone() == (700,)
    assert_goes_on(place, item_id)


@pytest.mark.usefixtures("before")
def test_one_that_is_used_is_left_alone(place: Place) -> None:
    """Whoever holds the lock of the users, of whatever version, is to be stopped first."""
    held = locks.share(folder_of(place.data_dir).users_lock)
    try:
        assert "Stop every `bankloom serve`" in refused(place)
    finally:
        os.close(held)
    assert versions(place) == {"cluster": "16"}


@pytest.mark.usefixtures("before")
def test_wrong_programs_are_refused(place: Place) -> None:
    """Programs of another version, or none, are named; nothing is changed."""
    assert "holds no PostgreSQL server" in refused(place, "--old-bin-dir", str(place.data_dir))
    other = str(binaries.bundled())
    assert "holds PostgreSQL 18" in refused(place, "--old-bin-dir", other)
    assert versions(place) == {"cluster": "16"}


@pytest.mark.usefixtures("before")
def test_there_is_no_way_back(place: Place) -> None:
    """A cluster of a newer version than ours is refused as it is."""
    version = folder_of(place.data_dir).cluster / "PG_VERSION"
    version.write_text("99\n")
    assert "can't go back" in refused(place)
    assert version.read_text() == "99\n"


def test_a_server_of_ones_own_is_not_ours_to_upgrade(place: Place) -> None:
    """With a URL set, the command says that it is for the embedded database."""
    assert "server of your own" in refused(place.at("postgresql://somewhere/there"))


def test_a_data_folder_that_cannot_be_is_one_sentence(place: Place) -> None:
    """A file in its place is named with the setting."""
    place.data_dir.touch()
    said = refused(place)
    assert "Not a directory" in said
    assert "BANKLOOM_DATA_DIR" in said


def test_an_upgrade_that_fails_leaves_the_old_one(place: Place) -> None:
    """What can't be copied stays where it is, usable; nothing new is left, and no server runs."""
    with old_server(place.data_dir):
        pass
    assert "no tables of Bankloom" in refused(place)
    assert versions(place) == {"cluster": "16"}
    assert servers(place) == []
    with old_server(place.data_dir) as url, psycopg.connect(url) as own:
        assert own.execute("SELECT 1").fetchone() == (1,)


def servers(place: Place) -> list[psutil.Process]:
    """Find the servers that run below the data folder."""
    below = str(place.data_dir)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(word.startswith(below) for word in process.info["cmdline"] or [])
    ]


def test_a_killed_upgrade_starts_over(place: Place, before: dict[str, TableHash]) -> None:
    """Killed at several moments, the old database is usable as before, and the last run ends well."""
    new = succession.place_of_new(folder_of(place.data_dir))
    moments: list[Callable[[], object]] = [
        new.path.exists,
        new.cluster.exists,
        lambda: len(servers(place)) >= 2,  # the old one and the new one
    ]
    for moment in moments:
        command = started(place.environment, "db", "upgrade")
        wait_until(moment)
        command.kill()
        command.communicate()
        assert versions(place)["cluster"] == "16"
    with old_server(place.data_dir) as url, psycopg.connect(url) as own:
        own.execute("UPDATE bankloom.institutions SET name = name")  # it does not only read
    said = upgraded(place)
    assert "from PostgreSQL 16 to 18" in said
    assert versions(place) == {"cluster": "18", "cluster-16": "16"}
    assert place.hashes() == before
    assert "nothing to upgrade" in upgraded(place)


# Where a crash can stand between the new cluster's last byte and the old one's new name


@pytest.fixture
def swapping(tmp_path: Path) -> DataFolder:
    """A data folder with an old cluster, and a whole new one beside it."""
    folder = DataFolder(tmp_path)
    for path, major in ((folder.cluster, 16), (folder.home / "upgraded" / "cluster", 18)):
        path.mkdir(parents=True)
        (path / "PG_VERSION").write_text(f"{major}\n")
    return folder


def old_ones(folder: DataFolder) -> list[Path]:
    return [each for each in folder.home.iterdir() if each.name.startswith("cluster-16-")]


def test_a_decision_is_carried_out(swapping: DataFolder) -> None:
    """From the moment it counts, whoever comes next puts the new one in place and keeps the old."""
    succession.finish(swapping)
    assert swapping.major == "18"
    assert len(old_ones(swapping)) == 1
    assert not (swapping.home / "upgraded").exists()


def test_a_crash_between_the_two_renames_is_mended(swapping: DataFolder) -> None:
    """With no cluster in its place, none is made anew: the one that counts is put there."""
    swapping.cluster.rename(succession.place_of_old(swapping, swapping.home / "upgraded/cluster"))
    succession.finish(swapping)
    assert swapping.major == "18"
    assert len(old_ones(swapping)) == 1


def test_a_crash_after_both_renames_is_mended(swapping: DataFolder) -> None:
    """What is left is removed, and nothing else is touched."""
    shutil.rmtree(swapping.cluster)
    (swapping.home / "upgraded/cluster").rename(swapping.cluster)
    for _ in range(2):
        succession.finish(swapping)
        assert swapping.major == "18"
    assert old_ones(swapping) == []
    assert not (swapping.home / "upgraded").exists()

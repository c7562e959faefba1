"""`bankloom db move`: to a server and back, equal in every table, or nothing is changed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import termios
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import outside_server
from bankloom.core.db import SCHEMA_LOCK
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from outside_server import OutsideServer
    from platypus_bank.testing import Running

SOME_ROWS = """
    INSERT INTO bankloom.users (name) SELECT 'user ' || n FROM generate_series(1, 50) n;
    INSERT INTO bankloom.institutions (institution_id, name, payload, updated_at)
    SELECT 'ins_' || n, E'Bank \\\\ \\t of ' || n, '\\x00ff'::bytea, now()
      FROM generate_series(1, 50) n;
"""


@pytest.fixture
def place(bank: Running, embedded_database_url: str, tmp_path: Path) -> Place:
    """A database with a few rows."""
    with psycopg.connect(embedded_database_url) as own:
        own.execute(SOME_ROWS)
    return Place(bank, tmp_path / "data", embedded_database_url)


@pytest.fixture
def target(cluster: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE target OWNER bankloom")
        yield cluster.url.replace("/bankloom?", "/target?")
        admin.execute("DROP DATABASE target WITH (FORCE)")


def moved(place: Place, *arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    """Move, telling the URL by standard input if at all."""
    return subprocess.run(
        [*COMMAND, "db", "move", *arguments],
        env={**os.environ, **place.environment},
        input=told,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(place: Place, *arguments: str, told: str = "") -> str:
    """Try to move; return what is said."""
    ended = moved(place, *arguments, told=told)
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.skipif(not outside_server.is_available(), reason=outside_server.NOT_RUN)
def test_to_a_server_and_back(bank: Running, reachable_dir: Path, outside: OutsideServer) -> None:
    """From the data folder to PostgreSQL 15, and into another one; the service goes on each time."""
    first, second = Place(bank, reachable_dir / "first"), Place(bank, reachable_dir / "second")
    with first.serving() as api:
        item_id = linked_and_synced(api, bank)
    before = first.hashes()
    with outside.database() as url:
        there = first.at(url)
        went = moved(first, told=url)
        assert went.returncode == 0, went.stderr
        assert "Set BANKLOOM_DATABASE_URL" in went.stdout
        assert re.search(r"bankloom\.transactions +700 ", went.stderr)
        assert hashes(url) == before == first.hashes()
        assert noted(url)[-1][0] == "database.moved"
        assert_goes_on(there, item_id)
        second.take_keyring_of(first)
        back = moved(Place(bank, second.data_dir, url), "--to-embedded")
        assert back.returncode == 0, back.stderr
        assert "Unset BANKLOOM_DATABASE_URL" in back.stdout
        assert second.hashes() == hashes(url)
    assert_goes_on(second, item_id)
    assert first.hashes() == before


def test_a_running_service_is_to_be_stopped_first(
    bank: Running, reachable_dir: Path, target: str
) -> None:
    """Its connections are seen, the way out is named, and nothing is changed on either side."""
    place = Place(bank, reachable_dir / "data")
    with place.serving():
        said = refused(place, told=target)
    assert "bankloom (" in said
    assert "Stop every `bankloom serve`" in said
    assert is_empty(target)
    assert moved(place, told=target).returncode == 0


def test_somebody_elses_open_change_is_told(
    place: Place, target: str, cluster: EmbeddedPostgres
) -> None:
    """Another role's open change, which no connection of ours shows, keeps the move from starting."""
    admin_url = make_conninfo(cluster.admin_url, dbname=conninfo_to_dict(place.url)["dbname"])
    with psycopg.connect(admin_url) as changer:
        changer.execute("DELETE FROM bankloom.institutions")
        assert "has been changing this database" in refused(place, told=target)
        changer.rollback()
    assert is_empty(target)


def test_source_and_target_must_be_two(place: Place) -> None:
    """The same database under another address is told from another one."""
    before = hashes(place.url)
    assert "one database" in refused(place, told=f"{place.url}&application_name=other")
    assert "embedded one already" in refused(place.at(""), "--to-embedded")
    assert "no URL was named" in moved(place, told="").stderr
    assert hashes(place.url) == before


def test_an_unreachable_target_is_one_sentence(place: Place) -> None:
    """It is said of the target, not of the setting, and without its password."""
    said = refused(place, told="postgresql://me:hunter2@127.0.0.1:1/there")
    assert "the URL of the target" in said
    assert "BANKLOOM_DATABASE_URL" not in said
    assert "hunter2" not in said
    assert "the URL of the target" in refused(place, told="there")


def test_only_an_empty_target_is_filled(place: Place, target: str) -> None:
    """Where there are schemas of ours, they stay as they are."""
    with psycopg.connect(target) as own:
        own.execute("CREATE SCHEMA bank")
    assert "not empty" in refused(place, told=target)


def test_a_difference_is_found_and_thrown_away(
    place: Place, target: str, cluster: EmbeddedPostgres
) -> None:
    """A target that alters a single row on its way is found out; nothing of it stays."""
    with psycopg.connect(cluster.admin_url.replace("/postgres?", "/target?")) as admin:
        admin.execute("""
            CREATE FUNCTION alter_a_row() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE bankloom.institutions SET name = 'Another' WHERE institution_id = 'ins_7'
                    AND name <> 'Another';
            END $$;
            CREATE EVENT TRIGGER meddling ON ddl_command_end WHEN TAG IN ('CREATE INDEX')
                EXECUTE FUNCTION alter_a_row();
        """)
    before = hashes(place.url)
    said = refused(place, told=target)
    assert re.search(r"bankloom\.institutions.*DIFFERENT", said)
    assert "not equal to the original in bankloom.institutions" in said
    assert is_empty(target)
    assert hashes(place.url) == before


def test_nobody_starts_or_writes_meanwhile_and_a_kill_leaves_nothing(
    place: Place, target: str
) -> None:
    """In the middle, starts wait on both sides and writes on the source; killed, the target is empty."""
    before = hashes(place.url)
    with held_in_the_middle(target):
        command = started({**place.environment}, "db", "move", target)
        wait_until(lambda: waits_for_a_lock(target))
        for url in (place.url, target):
            with psycopg.connect(url) as starter:
                tried = starter.execute("SELECT pg_try_advisory_lock(%s)", [SCHEMA_LOCK])
                assert tried.fetchone() == (False,)
        with psycopg.connect(place.url) as writer:
            writer.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                writer.execute("DELETE FROM bankloom.institutions")
        command.kill()
        command.communicate()
    wait_until(lambda: not waits_for_a_lock(target))
    assert is_empty(target)
    assert hashes(place.url) == before
    assert moved(place, told=target).returncode == 0
    assert hashes(target) == before


def test_a_url_is_asked_for_unseen(place: Place, target: str) -> None:
    """In a terminal the URL is typed, and not shown; among the arguments, its password is warned of."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [*COMMAND, "db", "move"],
        env={**os.environ, **place.environment, "TERM": "dumb"},
        start_new_session=True,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = ""
    while "not shown" not in seen:
        seen += os.read(ours, 4096).decode()
    wait_until(lambda: not termios.tcgetattr(ours)[3] & termios.ECHO)
    os.write(ours, f"{target}\n".encode())
    while "The copy is equal" not in seen:
        seen += os.read(ours, 4096).decode()
    assert command.wait(30) == 0
    os.close(ours)
    assert target not in seen
    again = bankloom(place.environment, "db", "move", target)
    assert again.returncode == 1
    assert "Every user of this machine can read a password" in again.stderr

"""A copied data folder is a database of its own; a moved one is the one that it was."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bankloom.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps a cluster elsewhere")
Copy = Callable[[Path, Path], None]


@pytest.fixture
def long_dir(data_dir: Path) -> Path:
    """A data folder whose path is too long for a socket, with one row in its database."""
    return filled(data_dir.rename(data_dir.with_name("x" * 100)))


@pytest.fixture
def private_dir(empty_dir: Path) -> Path:
    """A data folder below one that only root can enter, with one row in its database."""
    private = empty_dir.parent / "private"
    private.mkdir(mode=0o700)
    return filled(private / "data")


@pytest.fixture(params=["long_dir", pytest.param("private_dir", marks=as_root)])
def elsewhere_dir(request: pytest.FixtureRequest) -> Path:
    """A data folder that names a folder elsewhere, for its socket or for its cluster."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


def test_a_copy_has_a_socket_of_its_own(long_dir: Path, copy: Copy) -> None:
    """Original and copy run side by side, and neither writes into the other."""
    other = long_dir.with_name("y" * 100)
    copy(long_dir, other)
    assert_apart(long_dir, other)


def test_a_moved_folder_is_the_same_database(elsewhere_dir: Path) -> None:
    """After `mv` the data are there, wherever cluster and socket lie, and the old place is free."""
    before = url_parts(elsewhere_dir)["host"]
    moved = elsewhere_dir.rename(elsewhere_dir.with_name("z" * 100))
    assert rows(moved) == ["original"]
    assert rows(filled(elsewhere_dir, "new")) == ["new"]
    assert rows(moved) == ["original"]
    after = url_parts(moved)["host"]
    assert after == before or not Path(before).exists()


def test_a_folder_restored_in_place_is_the_same_database(elsewhere_dir: Path, copy: Copy) -> None:
    """The original moved out of the way, its copy takes its place; the original is refused then."""
    aside, saved = elsewhere_dir.with_name("aside"), elsewhere_dir.with_name("saved")
    copy(elsewhere_dir, saved)
    elsewhere_dir.rename(aside)
    saved.rename(elsewhere_dir)
    assert rows(elsewhere_dir) == ["original"]
    assert rows(elsewhere_dir) == ["original"]


@as_root
def test_a_copy_does_not_enter_the_originals_cluster(private_dir: Path, copy: Copy) -> None:
    """It is refused, running or not, with both paths; the original's server lives on."""
    other = private_dir.with_name("copy")
    copy(private_dir, other)
    with EmbeddedPostgres(private_dir, durable=False) as original:
        with pytest.raises(EmbeddedPostgresError) as caught:
            EmbeddedPostgres(other, durable=False).start()
        with psycopg.connect(original.url) as client:
            client.execute("SELECT FROM marks")
    assert caught.value.code == "embedded_postgres_no_own_cluster"
    assert all(str(place) in str(caught.value) for place in (private_dir, other, home(other)))
    with pytest.raises(EmbeddedPostgresError, match="is a copy of"):
        EmbeddedPostgres(other, durable=False).start()


@as_root
def test_a_copy_with_its_own_copy_of_the_cluster(private_dir: Path, copy: Copy) -> None:
    """What the refusal says leads to two databases."""
    other, cluster = private_dir.with_name("copy"), home(private_dir).with_suffix(".copy")
    copy(private_dir, other)
    copy(home(private_dir), cluster)
    (other / "home.txt").write_text(f"{cluster}\n")
    assert_apart(private_dir, other)


@as_root
def test_a_data_folder_without_its_cluster_is_refused(private_dir: Path) -> None:
    """Where only the data folder was restored, an empty database in its place would hide the loss."""
    place = home(private_dir)
    aside = place.rename(place.with_suffix(".aside"))
    with pytest.raises(EmbeddedPostgresError, match="nothing is there") as caught:
        EmbeddedPostgres(private_dir, durable=False).start()
    assert str(place) in str(caught.value)
    aside.rename(place)
    assert rows(private_dir) == ["original"]


@as_root
def test_two_first_starts_agree_on_the_place(empty_dir: Path, new_user: Callable[..., Any]) -> None:
    """Processes that start at once below a private folder make one home, and leave no other."""
    empty_dir.mkdir(mode=0o700)
    users = [new_user(empty_dir / "here") for _ in range(3)]
    for user in users:
        user.tell("start")
    assert len({user.answer() for user in users}) == 1
    assert [*home(empty_dir / "here").parent.glob("here-*")] == [home(empty_dir / "here")]


def assert_apart(first: Path, second: Path) -> None:
    """Run both at once; each sees what it wrote and not what the other did."""
    with ExitStack() as stack:
        urls = [
            stack.enter_context(EmbeddedPostgres(folder, durable=False)).url
            for folder in (first, second)
        ]
        for number, url in enumerate(urls):
            with psycopg.connect(url) as client:
                client.execute("INSERT INTO marks VALUES (%s)", [str(number)])
    assert [rows(first), rows(second)] == [["original", "0"], ["original", "1"]]


def filled(folder: Path, mark: str = "original") -> Path:
    with (
        EmbeddedPostgres(folder, durable=False) as server,
        psycopg.connect(server.url) as client,
    ):
        client.execute("CREATE TABLE marks (mark text)")
        client.execute("INSERT INTO marks VALUES (%s)", [mark])
    return folder


def rows(folder: Path) -> list[str]:
    with (
        EmbeddedPostgres(folder, durable=False) as server,
        psycopg.connect(server.url) as client,
    ):
        return [mark for (mark,) in client.execute("TABLE marks")]


def url_parts(folder: Path) -> dict[str, str]:
    with EmbeddedPostgres(folder, durable=False) as server:
        return {name: str(value) for name, value in conninfo_to_dict(server.url).items()}


def home(folder: Path) -> Path:
    return Path((folder / "home.txt").read_text().strip())

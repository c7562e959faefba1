"""Rotating the data keys: everything is sealed anew, beside whatever runs, or nothing is changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import inspect, text

from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import Keyring, SealBrokenError, fresh_entry
from bankloom.core.keyring_file import KeyringFile
from bankloom.models import SEALED, Base, Process, SealingKey
from bankloom.opening import open_runtime
from bankloom.services.keyrings import change, check, processes, rotate
from bankloom.services.keyrings.processes import Announced
from database_copies import hashes
from harness import settings_for, wait_until
from scenes import background, query, waiting_for_locks
from sealed_rows import ADDERS, COLUMNS, add_key, add_rows, counts, reread

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from bankloom.core.settings import Settings
    from bankloom.services.keyrings.rotate import Progress, Rotated
    from bankloom.services.runtime import Runtime

STRANGER = """
    INSERT INTO processes (kind, host, pid, keys, changed_at)
    VALUES ('worker', 'elsewhere', 7, CAST(:keys AS text[]), now())
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds: processes beat fast, and what never comes is given up soon."""
    monkeypatch.setattr(processes, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(rotate, "TAKE_UP_SECONDS", 0.5)
    monkeypatch.setattr(change, "TAKE_UP_SECONDS", 0.5)


def rotated(runtime: Runtime, to: str | None = None) -> Rotated:
    """Rotate, and listen to how far it is."""
    told: list[Progress] = []
    done = rotate.now(runtime, to, told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    return done


def announce_stranger(parts: Runtime, *marks: str) -> None:
    """Let a process of another machine live, with these keys."""
    query(parts, STRANGER, keys="{" + ",".join(marks) + "}")


def marks(runtime: Runtime) -> list[str]:
    return [str(mark) for mark in runtime.keyring.marks]


def file_of(runtime: Runtime) -> KeyringFile:
    return KeyringFile.of(runtime.settings.data_dir)


def test_every_sealed_column_is_listed() -> None:
    """A table that gains a sealed column is rotated, checked and tried at start, or this fails."""
    there = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    assert {(each.model.__tablename__, each.column) for each in SEALED} == there
    for each in SEALED:
        columns = inspect(each.model).columns
        assert each.bound_to in columns
        assert each.hash is None or each.hash in columns
        assert f"{each.model.__tablename__}_sealed_key_idx" in {
            index.name for index in columns[each.column].table.indexes
        }


def test_everything_is_sealed_anew(parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of all tables, in batches, and nothing else of them changes: no run is fenced off."""
    monkeypatch.setattr(rotate, "ROWS_AT_ONCE", 3)
    add_rows(parts, 10)
    fence = "SELECT item_id, token_generation, run_id, access_token_hash FROM items ORDER BY 1"
    before = query(parts, fence)
    add_key(parts, "new")
    assert counts(parts) == {"main": 10 * COLUMNS}
    done = rotated(parts)
    assert set(done.resealed.values()) == {10}
    assert (done.left, done.broken) == (0, {})
    assert counts(parts) == {"new": 10 * COLUMNS}
    assert query(parts, fence) == before
    add_rows(parts, 1, prefix="later")
    assert counts(parts) == {"new": 11 * COLUMNS}


def test_a_second_rotation_has_nothing_to_do(parts: Runtime) -> None:
    """It is safe to repeat, and changes nothing then."""
    add_rows(parts, 2)
    add_key(parts, "new")
    rotated(parts)
    sealed = query(parts, "SELECT item_id, access_token_sealed FROM items ORDER BY 1")
    assert rotated(parts).resealed == {}
    assert query(parts, "SELECT item_id, access_token_sealed FROM items ORDER BY 1") == sealed


def test_one_may_rotate_back(parts: Runtime) -> None:
    """Also to a key that a rotation has led away from, where it is named."""
    add_rows(parts, 2)
    add_key(parts, "new")
    rotated(parts)
    rotated(parts, to="main")
    assert counts(parts) == {"main": 2 * COLUMNS}
    with closing(open_runtime(parts.settings)) as again:
        assert again.keyring.marks[0].name == "main"


def test_a_row_in_other_hands_holds_up_nobody(parts: Runtime) -> None:
    """The rows beside it are sealed anew and let go; it is waited for alone."""
    add_rows(parts, 5, "items")
    add_key(parts, "new")
    with background() as start:
        with parts.database.session() as session:
            session.execute(text("SELECT 1 FROM items WHERE item_id = 'row-2' FOR UPDATE"))
            rotation = start(rotated, parts)
            wait_until(lambda: waiting_for_locks(parts) == 1)
            free = "SELECT item_id FROM items ORDER BY 1 FOR UPDATE SKIP LOCKED"
            assert [row.item_id for row in query(parts, free)] == [
                "row-0",
                "row-1",
                "row-3",
                "row-4",
            ]
            session.execute(text("UPDATE items SET state = 'healthy' WHERE item_id = 'row-2'"))
        assert rotation.result().resealed == {"items.access_token_sealed": 5}
    assert counts(parts) == {"new": 5}


def test_a_value_that_was_replaced_meanwhile_stands(parts: Runtime) -> None:
    """What a run or an exchange has stored since it was read is not written over."""
    add_rows(parts, 1, "items")
    column = SEALED[0]
    with parts.database.session() as session:
        (old,) = column.after(session, None, 1)
        again = parts.keyring.seal(parts.keyring.open(old.sealed, old.bound_to), old.bound_to)
        assert column.replace(session, {old: again}) == 1
        assert column.replace(session, {old: "v1.main.stale"}) == 0
    assert counts(parts) == {"main": 1}


def test_a_row_that_does_not_open_is_left_and_told(parts: Runtime) -> None:
    """It stops neither the rotation nor the check, which names the row and not its value."""
    add_rows(parts, 4, "items")
    query(
        parts, "UPDATE items SET access_token_sealed = 'v1.main.c2VjcmV0' WHERE item_id = 'row-1'"
    )
    add_key(parts, "new")
    done = rotated(parts)
    assert done.broken == {"items.access_token_sealed": 1}
    assert done.resealed == {"items.access_token_sealed": 3}
    told: list[Any] = []
    checked = check.now(parts.database, parts.keyring, lambda *each: told.append(each))
    assert [(column, row) for column, row, _ in told] == [("items.access_token_sealed", "row-1")]
    assert "c2VjcmV0" not in str(told)
    assert checked.broken == {("items.access_token_sealed", "main"): 1}


def test_a_wrong_index_key_is_found(parts: Runtime) -> None:
    """A value that opens but can't be found by its secret is broken too."""
    add_rows(parts, 1, "link_sessions")
    query(parts, "UPDATE link_sessions SET link_token_hash = 'another'")
    told: list[Any] = []
    check.now(parts.database, parts.keyring, lambda *each: told.append(each))
    assert "index" in told[0][2]


def test_a_process_without_the_key_is_named(parts: Runtime) -> None:
    """Nothing is changed then, neither a row nor the keyring file."""
    add_rows(parts, 3)
    announce_stranger(parts, *marks(parts))
    add_key(parts, "new")
    url = parts.database.address.url
    before, file = hashes(url), file_of(parts).path.read_text()
    with pytest.raises(ConfigurationError, match=r"worker on elsewhere \(process 7\) lacks it"):
        rotated(parts)
    assert (hashes(url), file_of(parts).path.read_text()) == (before, file)
    query(parts, "UPDATE processes SET seen_at = now() - interval '31 seconds'")
    rotated(parts)  # that one is dead
    assert counts(parts) == {"new": 3 * COLUMNS}


def test_a_key_of_that_name_with_other_bytes_is_another_key(parts: Runtime) -> None:
    """Two that made a key each, and called it alike, do not hold the same one."""
    add_key(parts, "new")
    announce_stranger(parts, marks(parts)[0], "new:0123456789abcdef")
    with pytest.raises(ConfigurationError, match="lacks it"):
        rotated(parts)


def test_a_process_that_goes_on_sealing_under_the_old_key_is_named(parts: Runtime) -> None:
    """It has the key, but in a file of its own in which it is not first."""
    add_rows(parts, 1)
    add_key(parts, "new")
    announce_stranger(parts, *marks(parts))
    with pytest.raises(ConfigurationError, match=r"worker on elsewhere .* still seals"):
        rotated(parts)
    assert counts(parts) == {"main": COLUMNS}
    query(parts, "DELETE FROM processes")
    assert rotated(parts).left == 0


def test_running_processes_take_a_new_key_up_by_themselves(
    parts: Runtime, settings: Settings
) -> None:
    """They read the file again, first to open with the key, then to seal under it."""
    add_rows(parts, 2)
    with closing(open_runtime(settings)) as other, Announced(other, "worker"):
        assert change.add(parts, "new") == []
        assert [mark.name for mark in other.keyring.marks] == ["main", "new"]
        rotated(parts)
        assert other.keyring.marks[0].name == "new"
        add_rows(other, 1, prefix="later")
        assert counts(other) == {"new": 3 * COLUMNS}
    wait_until(lambda: query(parts, "SELECT 1 FROM processes") == [])


def test_a_process_that_slept_reads_the_file_before_it_gives_up(
    parts: Runtime, settings: Settings
) -> None:
    """One that was believed dead meets a key that it does not know, and finds it in the file."""
    add_rows(parts, 1)
    with closing(open_runtime(settings)) as sleeper:
        add_key(parts, "new")
        rotated(parts)
        assert counts(sleeper) == {"new": COLUMNS}


def test_a_process_that_was_forgotten_announces_itself_anew(parts: Runtime) -> None:
    """A laptop that slept for hours counts again once it wakes."""
    with Announced(parts, "serve"):
        query(parts, "DELETE FROM processes")
        wait_until(lambda: query(parts, "SELECT 1 FROM processes"))


def test_an_old_keyring_does_not_start_after_a_rotation(
    parts: Runtime, settings: Settings, tmp_path: Path
) -> None:
    """Not even where no row would show it: it could not open what the others seal."""
    old = file_of(parts).path.read_text()
    add_key(parts, "new")
    rotated(parts)
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    elsewhere.data_dir.mkdir()
    KeyringFile.of(elsewhere.data_dir).path.write_text(old)
    with pytest.raises(ConfigurationError, match="lacks the key 'new'"):
        open_runtime(elsewhere)


def test_a_former_key_does_not_seal_again_by_accident(
    parts: Runtime, settings: Settings, tmp_path: Path
) -> None:
    """A keyring that has the key, but behind the one that was rotated away from, does not start."""
    add_key(parts, "new")
    old = file_of(parts).path.read_text()
    rotated(parts)
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    elsewhere.data_dir.mkdir()
    KeyringFile.of(elsewhere.data_dir).path.write_text(old)
    with pytest.raises(ConfigurationError, match="Put the entry 'new' first"):
        open_runtime(elsewhere)


def test_who_starts_in_the_middle_of_a_rotation_is_refused(parts: Runtime) -> None:
    """A process whose keyring was opened before it began is refused when it announces itself."""
    late = settings_and_keyring(parts)
    add_key(parts, "new")
    rotated(parts)
    with pytest.raises(ConfigurationError, match="lacks the key 'new'"), Announced(late, "worker"):
        pass
    assert query(parts, "SELECT 1 FROM processes") == []


def settings_and_keyring(parts: Runtime) -> Runtime:
    """Return parts over the same database whose keyring stays as it is now."""
    frozen = Keyring.parse(file_of(parts).path.read_text())
    return type(parts)(**{**vars(parts), "keyring": frozen})


def test_a_key_that_nobody_else_has_does_not_seal(parts: Runtime, settings: Settings) -> None:
    """A new key put first on one process alone: what it would seal, the others could not open."""
    with Announced(settings_and_keyring(parts), "serve"):
        file = file_of(parts)
        file.path.write_text(f"{fresh_entry('eager')}\n{file.path.read_text()}")
        with pytest.raises(ConfigurationError, match=r"serve on .* lacks it"):
            open_runtime(settings)


def test_a_key_is_retired_when_nothing_needs_it(parts: Runtime) -> None:
    """Not the one that seals, not one that a row or a process needs, nor while one may write late."""
    add_rows(parts, 2, "webhook_deliveries")
    add_key(parts, "new")
    for name, reason in (("main", "the one that seals"), ("nosuch", "no data key")):
        with pytest.raises(ConfigurationError, match=reason):
            change.retire(parts, name)
    file_of(parts).put_first("new")
    reread(parts.keyring)
    with pytest.raises(ConfigurationError, match=r"in webhook_deliveries\.body_sealed"):
        change.retire(parts, "main")
    rotated(parts)
    new, main = marks(parts)
    announce_stranger(parts, main, new)
    with pytest.raises(ConfigurationError, match="still seals under 'main'"):
        change.retire(parts, "main")
    query(parts, "UPDATE processes SET keys = ARRAY[:new, :main]", new=new, main=main)
    with pytest.raises(ConfigurationError, match="less than 2 minutes"):
        change.retire(parts, "main")
    query(parts, "UPDATE processes SET changed_at = now() - interval '3 minutes'")
    change.retire(parts, "main")
    assert [mark.name for mark in file_of(parts).read().marks] == ["new"]
    with pytest.raises(ConfigurationError, match="has sealed here before"):
        change.add(parts, "main")
    with closing(open_runtime(parts.settings)) as again:
        assert counts(again) == {"new": 2}


def test_the_name_of_a_key_is_given_once(parts: Runtime) -> None:
    """A second key of one name would be taken for the first, and open nothing of it."""
    add_rows(parts, 1, "items")
    before = file_of(parts).path.read_text()
    for name in ("main", "index", "ma in", "", "x" * 65, "ключ"):
        with pytest.raises(ConfigurationError):
            change.add(parts, name)
    assert file_of(parts).path.read_text() == before


def test_several_new_keys_ask_for_a_choice(parts: Runtime) -> None:
    """Which of them seals is not guessed."""
    add_key(parts, "one")
    add_key(parts, "two")
    with pytest.raises(ConfigurationError, match="one, two"):
        rotated(parts)
    with pytest.raises(ConfigurationError, match="no data key 'three'"):
        rotated(parts, to="three")
    assert rotated(parts, to="two").to.name == "two"


@pytest.fixture
def by_hand(settings: Settings) -> Settings:
    """Settings that hold the keys themselves: `old`, with `new` behind it."""
    keys = ",".join(fresh_entry(name) for name in ("old", "new", "index"))
    more = {"encryption_keys": keys}
    url: SecretStr | None = settings.database_url
    assert url is not None
    return settings_for(settings.plaid.base_url, url.get_secret_value(), settings.data_dir, **more)


def test_keys_from_the_environment_are_the_persons_to_edit(by_hand: Settings) -> None:
    """First behind, then first, on all processes; then the rows follow. Each step says what is next."""
    assert by_hand.encryption_keys is not None
    old, new, index = by_hand.encryption_keys.get_secret_value().split(",")
    with closing(open_runtime(by_hand)) as runtime:
        add_rows(runtime, 2)
        stays = marks(runtime)
        with pytest.raises(ConfigurationError, match="Put it first for every process"):
            rotated(runtime, to="new")
        for refused in (change.add, change.retire):
            with pytest.raises(ConfigurationError, match="which only you can change"):
                refused(runtime, "third")
    secret = type(by_hand.encryption_keys)
    edited = by_hand.model_copy(update={"encryption_keys": secret(f"{new},{old},{index}")})
    with closing(open_runtime(edited)) as runtime:
        announce_stranger(runtime, *stays)
        with pytest.raises(ConfigurationError, match="still seals under another one"):
            rotated(runtime)
        assert query(runtime, "SELECT 1 FROM sealing_keys") == []
        query(runtime, "DELETE FROM processes")
        rotated(runtime)
        assert counts(runtime) == {"new": 2 * COLUMNS}
    with pytest.raises(ConfigurationError, match="Put the entry 'new' first"):
        open_runtime(by_hand)


def test_a_second_rotation_waits_for_the_first(
    parts: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once that lead to different keys would never end."""
    monkeypatch.setattr(rotate, "_LOCK_SECONDS", 0.1)
    with (
        rotate._alone(parts),
        pytest.raises(ConfigurationError, match="Another `bankloom keys rotate`"),
    ):
        rotated(parts)
    rotated(parts)


@pytest.mark.parametrize("table", ADDERS)
def test_a_start_looks_at_every_table(parts: Runtime, settings: Settings, table: str) -> None:
    """A key that a single row of any table needs is missed at start, and no byte is changed."""
    add_rows(parts, 1)
    add_key(parts, "new")
    file_of(parts).put_first("new")
    reread(parts.keyring)
    add_rows(parts, 1, table, prefix="alone")
    file = file_of(parts)
    whole = file.path.read_text()
    url = parts.database.address.url
    before = hashes(url)
    file.remove("new")
    with pytest.raises(
        ConfigurationError, match=rf"{table}\..*'new'.*\n?.*from a backup|from a backup"
    ):
        open_runtime(settings)
    assert hashes(url) == before
    file.path.write_text(whole)
    with closing(open_runtime(settings)) as again:
        assert counts(again) == {"main": COLUMNS, "new": 1}


def test_the_names_of_keys_in_use(parts: Runtime) -> None:
    """They are found in the index without a look at every row."""
    column = SEALED[3]
    with parts.database.session() as session:
        assert column.key_names(session) == []
    add_rows(parts, 3, "webhook_deliveries")
    query(parts, "UPDATE webhook_deliveries SET body_sealed = 'v1.a.x' WHERE jwt_hash = 'row-1'")
    with parts.database.session() as session:
        assert column.key_names(session) == ["a", "main"]
        assert column.count_by_key(session) == {"a": 1, "main": 2}


def test_fingerprints_tell_nothing_of_a_key(parts: Runtime) -> None:
    """What the database knows of a key is one-way."""
    with Announced(parts, "serve"):
        (row,) = query(parts, "SELECT keys FROM processes")
    key = file_of(parts).path.read_text().splitlines()[0].partition(":")[2]
    told = row.keys[0].partition(":")[2]
    assert len(told) == 32
    assert told not in key


def test_the_sealing_key_is_one(parts: Runtime) -> None:
    """After each rotation exactly one key is current, and the others are superseded."""
    add_rows(parts, 1)
    for name in ("b", "c"):
        add_key(parts, name)
        rotated(parts)
    with parts.database.session() as session:
        current = SealingKey.current(session)
        assert current is not None
        assert current.name == "c"
        assert {mark.name for mark in SealingKey.superseded(session)} == {"main", "b"}
        assert Process.living(session) == []


def test_a_lost_key_names_itself(parts: Runtime) -> None:
    """A row under a key that is in no file tells which one must come back."""
    with pytest.raises(SealBrokenError, match="spring"):
        parts.keyring.open("v1.spring.AAAA", "item")


def test_a_walk_reads_each_row_once(parts: Runtime) -> None:
    """A batch is a range of the index, whatever the statistics say: no sort, no row that is not wanted."""
    add_rows(parts, 30, "webhook_deliveries")
    plan = """
        EXPLAIN SELECT id FROM webhook_deliveries WHERE split_part(body_sealed, '.', 2) = 'main'
            AND id > '00000000-0000-0000-0000-000000000000' ORDER BY id LIMIT 10
    """
    with parts.database.session() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        lines = " ".join(session.scalars(text(plan)))
    assert "webhook_deliveries_sealed_key_idx" in lines
    assert "Sort" not in lines
    assert "Filter" not in lines

"""Kill -9 while keys rotate, at any moment: every row opens all the time, and the rotation ends at last."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from bankloom.core.keyring_file import KeyringFile
from bankloom.opening import open_runtime
from bankloom.services.keyrings import processes
from bankloom.services.keyrings.processes import Announced
from commands import bankloom
from crash.rotations import kill_one
from database_copies import started
from harness import environment_for
from scenes import query
from sealed_rows import COLUMNS, add_key, add_rows, counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime

ROWS = 400  # in each table: a rotation commits some dozen times
REAL_COMMANDS = 1  # of ten; the others are of forks that have imported everything already
KILLS_PER_ROTATION = 4  # the 200 of `make crash` make 50 here
LONGEST_ROTATION_SECONDS = 1.0
START_SECONDS_MAX = 4.0
MANY = 20  # of so many, some come in the middle; of a few, perhaps none
KEYS = ("main", "second")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service beside it takes a key up at once, so that the kills find rows at work."""
    monkeypatch.setattr(processes, "EVERY_SECONDS", 0.02)


@pytest.mark.timeout(0)  # each of its waits has a bound, and there are as many as there are kills
def test_a_rotation_that_is_killed_loses_nothing(settings: Settings, kills: int, seed: int) -> None:
    """Killed so often, each time somewhere else, while others read and write; then it goes through."""
    rotations = max(2, kills // KILLS_PER_ROTATION)
    say(f"{rotations} kills of a rotation, --seed {seed}")
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
    with closing(open_runtime(settings)) as runtime:
        add_rows(runtime, ROWS)
        add_key(runtime, KEYS[1])
        mixed = 0
        with Announced(runtime, "serve"), life(runtime, rng) as added:
            for number in range(rotations):
                if number % 10 < REAL_COMMANDS:
                    kill_command(settings, rng.choice(KEYS), rng.uniform(0, START_SECONDS_MAX))
                else:
                    kill_one(settings, rng.choice(KEYS), rng.uniform(0, LONGEST_ROTATION_SECONDS))
                mixed += len(counts(runtime)) > 1
            environment = environment_for(settings)
            ended = bankloom(environment, "keys", "rotate", "--to", KEYS[1])
            assert ended.returncode == 0, ended.stderr
        assert counts(runtime) == {KEYS[1]: ROWS * COLUMNS + len(added)}
        assert [mark.name for mark in KeyringFile.of(settings.data_dir).read().marks] == [
            *reversed(KEYS)
        ]
    say(f"{mixed} kills left rows under both keys; {len(added)} rows were added meanwhile")
    assert mixed or rotations < MANY, "no kill came in the middle"


def kill_command(settings: Settings, to: str, seconds: float) -> None:
    """Begin a rotation as a person does, and kill it so much later."""
    command = started(environment_for(settings), "keys", "rotate", "--to", to)
    time.sleep(seconds)
    command.kill()
    command.communicate()


@contextmanager
def life(runtime: Runtime, rng: random.Random) -> Iterator[list[str]]:
    """Let somebody add rows and open random ones all the time; give the names of what was added."""
    over, added, errors = threading.Event(), list[str](), list[BaseException]()

    def live() -> None:
        try:
            while not over.wait(0.02):
                name = f"meanwhile-{len(added)}"
                add_rows(runtime, 1, "webhook_deliveries", prefix=name)
                added.append(name)
                open_one(runtime, rng.randrange(ROWS))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield added
    finally:
        over.set()
        thread.join()
    assert errors == []


def open_one(runtime: Runtime, number: int) -> None:
    """Open an Item's token, as a run does at its beginning."""
    any_item = "SELECT item_id, access_token_sealed FROM items OFFSET :number LIMIT 1"
    (row,) = query(runtime, any_item, number=number)
    assert runtime.keyring.open(row.access_token_sealed, row.item_id).endswith(row.item_id)


def say(what: str) -> None:
    """Tell who watches: `make crash` shows it as it comes."""
    print(what, flush=True)  # noqa: T201 - a long test tells how far it is

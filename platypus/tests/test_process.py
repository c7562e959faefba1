"""The process: starts fast, forgets nothing, stops cleanly; the same seed makes the same world."""

import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from platypus_bank.testing import running


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "platypus_bank.cli", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_the_world_survives_kill(api: Any, tmp_path: Path) -> None:
    with running(tmp_path) as bank:
        api.bank = bank
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        access, item_id = api.item()
        cursor, rows = api.pull(access)
        link_token = api.link_token()
        bank.control.advance(1000)
        bank.control.changes(item_id, removed=[next(iter(rows))])
        bank.kill()
        bank.restart()
        assert bank.control.clock()["offset_seconds"] == 1000
        assert api.pull(access, cursor)[1] == {next(iter(rows)): None}
        assert bank.control.complete_link(link_token)["public_token"]
        assert bank.stop() == 0


def test_every_answered_call_survives_kill(api: Any, tmp_path: Path) -> None:
    with running(tmp_path) as bank:
        api.bank = bank
        for _ in range(3):
            access, item_id = api.item()
            bank.restart()
            assert api.post("/item/get", access_token=access)["item"]["item_id"] == item_id
        assert len(bank.control.items()) == 3


def test_the_same_calls_on_the_same_seed_make_the_same_world(api: Any, bank: Any) -> None:
    def world(seed: int) -> list[str]:
        bank.control.reset(seed)
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        access, item_id = api.item()
        return [access, item_id, *api.pull(access)[1]]

    first = world(5)
    assert first == world(5)
    assert not set(first) & set(world(6))
    bank.control.reset(1)


def test_a_reset_shows_real_time_again(bank: Any) -> None:
    """A world that went ahead doesn't hand its hours on to the next one."""
    bank.control.advance(3600)
    assert bank.control.clock()["offset_seconds"] == 3600
    bank.control.reset()
    assert bank.control.clock()["offset_seconds"] == 0


def test_one_folder_has_one_process_and_one_seed(tmp_path: Path) -> None:
    with running(tmp_path, seed=3):
        second = serve("--port", "0", "--data-dir", str(tmp_path))
        assert second.returncode == 2
        assert "another Platypus" in second.stderr
    other = serve("--port", "0", "--data-dir", str(tmp_path), "--seed", "4")
    assert other.returncode == 2
    assert "made with seed 3" in other.stderr


def test_a_taken_port_is_said_plainly(bank: Any) -> None:
    port = bank.url.rsplit(":", 1)[1]
    second = serve("--port", port, "--ephemeral")
    assert second.returncode == 2
    assert "in use" in second.stderr


def test_it_starts_in_two_seconds_and_stops_cleanly(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with running(tmp_path) as bank:
        assert bank.url.startswith("http://127.0.0.1:")
        assert bank.stop() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The processor's time, stopping included: the clock's depends on what else this machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_a_held_call_does_not_keep_it_from_stopping(api: Any, tmp_path: Path) -> None:
    with running(tmp_path) as bank:
        api.bank = bank
        access, _ = api.item()
        bank.control.fault("/item/get", hold=True)
        ended: list[BaseException] = []

        def call() -> None:
            try:
                api.post("/item/get", access_token=access)
            except OSError as problem:
                ended.append(problem)

        caller = threading.Thread(target=call)
        caller.start()
        deadline = time.monotonic() + 5
        while not bank.control.faults()[0]["held"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bank.stop() == 0
        caller.join(5)
        assert len(ended) == 1

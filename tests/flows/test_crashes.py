"""Crashes between two pages or two commits: whatever dies, the end equals the bank's ledger."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from harness import ServiceProcess, environment_for, settings_for, wait_until
from scenes import (
    EXCHANGE_PATH,
    SYNC_PATH,
    assert_equals_ledger,
    background,
    exchange,
    holding,
    linked,
    newcomer,
    person,
    stored,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from platypus_bank.testing import Running

LEAVE_SECONDS_MAX = 10
TAKE_OVER_SECONDS_MAX = 40  # a silent worker is noticed by the tick, every 15 s


@contextmanager
def service(bank: Running, url: str | None, data_dir: Path) -> Iterator[ServiceProcess]:
    """Run the service as a process that is soon believed dead."""
    more = {"lease_seconds": 10, "worker_silent_seconds": 3}
    settings = settings_for(bank.url, url or "", data_dir, **more)
    process = ServiceProcess(environment_for(settings))
    try:
        yield process
    finally:
        bank.control.clear_faults()
        process.stop()


@pytest.fixture
def process(bank: Running, embedded_database_url: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    """The service as a process, on a database that outlives it."""
    with service(bank, embedded_database_url, tmp_path) as process:
        yield process


def test_the_service_dies_between_pages(process: ServiceProcess, bank: Running) -> None:
    """Killed with a page pulled and another on its way, it starts the update again when it is back."""
    item_id = linked(process.api, bank)
    bank.control.bulk(item_id, 1200)
    with holding(bank, SYNC_PATH, after=1) as hold:
        assert process.api.sync(item_id, wait=False)["status"] == "queued"
        hold.reached()
        process.kill()
    process.start()
    assert stored(process.api) == {}
    wait_until(lambda: stored(process.api), TAKE_OVER_SECONDS_MAX)
    assert_equals_ledger(process.api, bank, item_id)


def test_the_service_dies_during_an_exchange(
    process: ServiceProcess, bank: Running, embedded_database_url: str
) -> None:
    """Killed between the claim and Plaid's answer, it finishes the exchange when it is back."""
    new = newcomer(process.api, bank, **person())
    bank.control.changes(new.item_id, added=[{"amount": 1}])
    with holding(bank, EXCHANGE_PATH) as hold, background() as start:
        lost = start(exchange, process.api, new.public_token)
        hold.reached()
        process.kill()
        assert lost.exception() is not None
    with psycopg.connect(embedded_database_url) as connection:
        # As if the lease had run out, which takes as long as Plaid's slowest answer.
        connection.execute("UPDATE bankloom.exchange_claims SET lease_until = now()")
    process.start()
    wait_until(lambda: stored(process.api), TAKE_OVER_SECONDS_MAX)
    assert_equals_ledger(process.api, bank, new.item_id)
    assert exchange(process.api, new.public_token).json()["item_id"] == new.item_id


def test_the_service_leaves_in_the_middle_of_a_page(process: ServiceProcess, bank: Running) -> None:
    """Asked to stop while Plaid is silent, it is gone within ten seconds, and nothing is lost."""
    item_id = linked(process.api, bank)
    bank.control.bulk(item_id, 1200)
    with holding(bank, SYNC_PATH, after=1) as hold:
        assert process.api.sync(item_id, wait=False)["status"] == "queued"
        hold.reached()
        asked = time.monotonic()
        process.stop()
        assert time.monotonic() - asked < LEAVE_SECONDS_MAX
    process.start()
    wait_until(lambda: stored(process.api), TAKE_OVER_SECONDS_MAX)
    assert_equals_ledger(process.api, bank, item_id)


def test_the_database_dies_between_pages(bank: Running) -> None:
    """The embedded server killed with a page staged is started again, and the update is whole."""
    with tempfile.TemporaryDirectory(prefix="bankloom-test-") as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o711)  # as root, the database runs as another user
        with service(bank, None, data_dir) as process:
            item_id = linked(process.api, bank)
            bank.control.bulk(item_id, 1200)
            with holding(bank, SYNC_PATH, after=1) as hold:
                assert process.api.sync(item_id, wait=False)["status"] == "queued"
                hold.reached()
                (pid_file,) = data_dir.glob("postgres/**/postmaster.pid")
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
                hold.release()
            wait_until(lambda: process.api.get("/readyz").is_success, TAKE_OVER_SECONDS_MAX)
            wait_until(lambda: process.api.sync(item_id).get("status") in {"synced", "up_to_date"})
            assert_equals_ledger(process.api, bank, item_id)


@pytest.mark.parametrize("more", [[], ["--no-worker"]])
def test_it_leaves_while_a_request_waits_for_plaid(
    settings: Settings, bank: Running, more: list[str]
) -> None:
    """SIGTERM is obeyed within 10 s, whoever is still waiting for an answer that does not come."""
    process = ServiceProcess(environment_for(settings), *more)
    with holding(bank, "/link/token/create") as hold, background() as start:
        waiting = start(process.api.post, "/plaid/link-token", user_id="ada")
        hold.reached()
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(LEAVE_SECONDS_MAX) == 0
        told = waiting.result()
    process.stop()
    assert (told.status_code, told.json()["error"]["code"]) == (503, "stopping")
    assert told.headers["X-Request-Id"]
    assert "Traceback" not in process.log

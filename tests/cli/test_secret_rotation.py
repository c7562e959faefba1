"""A rotation of Plaid's secret as an operator does it, under a service and a worker that stay up."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from commands import COMMAND
from harness import ServiceProcess, environment_for, settings_for, wait_until
from secret_places import KubernetesMount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from platypus_bank.testing import Running

OLD, NEW = "old-secret-of-the-mount", "new-secret-of-the-mount"
TAKEN = "A new PLAID_SECRET is in use, from: file in "


@contextmanager
def worker_beside(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `bankloom worker` for the length of a block."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [*COMMAND, "worker"],
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_every_process_takes_a_new_secret_without_a_restart(
    bank: Running, embedded_database_url: str, tmp_path: Path
) -> None:
    """The old secret is deleted in the Dashboard: web side and worker go on with the mounted new one."""
    mount = KubernetesMount(tmp_path / "mount", {"PLAID_SECRET": OLD})
    settings = settings_for(bank.url, embedded_database_url, tmp_path / "data")
    environment = environment_for(settings) | {"BANKLOOM_SECRETS_DIR": str(mount.folder)}
    del environment["PLAID_SECRET"]
    bank.control.settings(secrets=[OLD])
    log = tmp_path / "worker.log"
    service = ServiceProcess(environment, "--no-worker")
    try:
        with worker_beside(environment, log) as worker:
            item_id = service.api.link(bank)
            service.api.sync_until_complete(item_id)

            mount.update({"PLAID_SECRET": NEW})
            bank.control.settings(secrets=[NEW])
            bank.control.forget_calls()

            assert service.api.link_token()
            assert service.api.sync(item_id)["status"] == "up_to_date"
            wait_until(lambda: TAKEN in service.log and TAKEN in log.read_text())
            assert (service.process.poll(), worker.poll()) == (None, None)
        calls = bank.control.calls()
        assert {each["path"] for each in calls if not each["error_code"]} > {"/link/token/create"}
        assert {each["error_code"] for each in calls} <= {None, "INVALID_API_KEYS"}
    finally:
        service.stop()
    for secret in (OLD, NEW):
        assert secret not in service.log
        assert secret not in log.read_text()


def test_a_source_that_fails_keeps_everything_from_starting(
    embedded_database_url: str, tmp_path: Path
) -> None:
    """One sentence says what to mend; nothing listens and no data folder is made."""
    settings = settings_for("http://127.0.0.1:1", embedded_database_url, tmp_path / "data")
    missing = {"BANKLOOM_SECRETS_DIR": str(tmp_path / "not-mounted")}
    ended = subprocess.run(
        [*COMMAND, "serve", "--port", "0"],
        env={**os.environ, **environment_for(settings), **missing},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"bankloom: The secret files in {tmp_path}/not-mounted can't be read")
    assert not (tmp_path / "data").exists()

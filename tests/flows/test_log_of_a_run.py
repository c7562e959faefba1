"""The log of a run: each line that it causes, in whatever thread, names it and its Item."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from bankloom.services.plaid_client import PlaidClient
from harness import ServiceProcess, environment_for, settings_for
from scenes import SYNC_PATH, linked

if TYPE_CHECKING:
    import io
    from pathlib import Path

    import pytest

    from bankloom.services.plaid_messages import SyncPage
    from harness import Api
    from platypus_bank.testing import Running


def lines_of(process: ServiceProcess) -> list[dict[str, Any]]:
    """Return the log of a process that ended; all that it wrote else are its two announcements."""
    announcement, sign_in, *lines = process.log.splitlines()
    assert announcement.startswith("Bankloom is listening")
    assert sign_in.startswith("Sign in to the console")
    return [json.loads(line) for line in lines]


def test_a_failed_run_can_be_followed(
    bank: Running, embedded_database_url: str, tmp_path: Path
) -> None:
    """As JSON, the lines of a run have its id and its Item's, and nobody else's lines have."""
    settings = settings_for(bank.url, embedded_database_url, tmp_path)
    process = ServiceProcess(environment_for(settings) | {"BANKLOOM_LOG_FORMAT": "json"})
    try:
        item_id = linked(process.api, bank)
        bank.control.fault(SYNC_PATH, drop=True)
        failed = process.api.sync(item_id)
        assert failed["status"] == "failed"
    finally:
        process.stop()
    lines = lines_of(process)
    of_the_run = [line for line in lines if line["run_id"] == failed["run_id"]]
    assert {line["item_id"] for line in of_the_run} == {item_id}
    assert any("Plaid gave no answer" in line["message"] for line in of_the_run)
    assert all(line["item_id"] is None for line in lines if line["run_id"] is None)


def test_the_thread_that_pulls_pages_logs_for_its_run(
    api: Api, bank: Running, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are pulled by a thread of their own; what is logged there has the run's id as well."""
    pull = PlaidClient.transactions_sync

    def pull_and_tell(client: PlaidClient, access_token: str, cursor: str) -> SyncPage:
        logging.getLogger("test").warning("pulled in %s", threading.current_thread().name)
        return pull(client, access_token, cursor)

    item_id = linked(api, bank)
    monkeypatch.setattr(PlaidClient, "transactions_sync", pull_and_tell)
    run_id = api.sync(item_id)["run_id"]
    assert f"run={run_id} item={item_id} request=- : pulled in next-page_0" in log.getvalue()

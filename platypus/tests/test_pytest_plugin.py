"""The plugin, as another project's tests use it, with as many workers as they like."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platypus_bank.testing import running

THEIR_TESTS = """
import json
import urllib.request
from pathlib import Path

import pytest


def ask(platypus, path, **body):
    headers = {"PLAID-CLIENT-ID": platypus.client_id, "PLAID-SECRET": platypus.secret}
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(platypus.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize("place", range(24))
def test_a_bank_of_ones_own(platypus, place):
    control = platypus.control
    control.settings(initial_update_seconds=0, historical_update_seconds=0)
    made = ask(platypus, "/sandbox/public_token/create", institution_id="ins_109508",
               initial_products=["transactions"])
    told = ask(platypus, "/item/public_token/exchange", public_token=made["public_token"])
    control.advance(place * 86_400)
    control.changes(told["item_id"], added=[{"amount": place, "name": f"mine {place}"}])
    assert [each["item_id"] for each in control.items()] == [told["item_id"]]
    rows = control.ledger(told["item_id"])["transactions"]
    assert [row["name"] for row in rows if row["name"].startswith("mine")] == [f"mine {place}"]
    assert round(control.clock()["offset_seconds"]) == place * 86_400
    assert control.faults() == []
    control.fault("/item/get", drop=True)
    Path(f"used-{place}").write_text(platypus.url + " " + told["item_id"])
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Another project, which knows nothing of ours but the plugin."""
    (tmp_path / "test_theirs.py").write_text(THEIR_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(folder: Path, *options: str) -> list[list[str]]:
    """Run their tests; return the URL and the Item of each."""
    command = [sys.executable, "-m", "pytest", "-q", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "24 passed" in done.stdout, done.stdout + done.stderr
    return sorted(each.read_text().split() for each in folder.glob("used-*"))


def test_eight_workers_share_a_server(theirs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "bank") as bank:
        used = run(theirs, "-n", "8", "--platypus-url", bank.url)
        assert {url for url, _ in used} == {bank.url}
        assert len({item_id for _, item_id in used}) == 24
        assert bank.control.worlds() == []


def test_one_starts_by_itself_and_the_ids_come_again(theirs: Path, bank: Any) -> None:
    first, second = run(theirs), run(theirs)
    assert {url for url, _ in first}.isdisjoint({bank.url})
    assert [item_id for _, item_id in first] == [item_id for _, item_id in second]

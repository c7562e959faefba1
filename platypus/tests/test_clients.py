"""Plaid's own clients for Python and Node go the whole way, each in a program of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE = HERE / "node"
SEEN = {
    "pages": 3,
    "accounts": 14,
    "holdings": 10,
    "trades": 75,
    "liabilities": ["credit", "line_of_credit", "loan", "mortgage", "student"],
    "webhook": "ITEM_LOGIN_REQUIRED",
    "errors": [
        [400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED"],
        [400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN"],
    ],
}


def run(bank: Any, *command: str | Path) -> Any:
    """Run a flow in a world of its own and return what it saw."""
    client_id = f"flow of {command[0]}"
    whole = (*command, bank.url, client_id)
    done = subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)
    bank.control.end_world(client_id)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("transactions") > 40  # of 90 days; the flow has held them against the ledger
    return seen


def test_plaid_python_goes_the_whole_way(process: Any) -> None:
    """Link, sync until there is no more, investments, liabilities, a verified webhook, errors."""
    assert run(process, sys.executable, HERE / "clients/flow.py") == SEEN


def test_plaid_node_goes_the_whole_way(process: Any) -> None:
    """The same, by the npm package; a forged signature is refused too."""
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules/plaid").is_dir():
        pytest.skip(
            "plaid-node is NOT tested: no node, or no node_modules; install Node and run "
            "`make platypus/tests/node/node_modules`"
        )
    assert run(process, node, NODE / "flow.mjs") == SEEN

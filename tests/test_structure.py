"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from bankloom.models import Account, Transaction
from bankloom.routes import plaid
from bankloom.services import plaid_client

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for folder in ("src", "platypus/src")
    for path in (ROOT / folder).rglob("*.py")
    if "versions" not in path.parts
]


def test_imports_point_one_way() -> None:
    """Imports go cli > app > worker > routes > services > models > core, and the two products never meet."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    # A process of its own: in ours it would turn off every logger that there is.
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_every_module_says_what_it_holds() -> None:
    """A reader of the file list alone can say where a change belongs."""
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_a_file_is_one_idea() -> None:
    """No module grows beyond 300 lines."""
    long = [str(path) for path in SOURCES if len(path.read_text().splitlines()) > 300]
    assert long == []


def test_the_names_of_the_contract_are_importable() -> None:
    """`services.plaid_client`, `models.Account` and `models.Transaction` keep their names."""
    assert {Account.__tablename__, Transaction.__tablename__} == {"accounts", "transactions"}
    assert plaid.router.prefix == "/plaid"
    assert plaid_client.PlaidClient.__name__ == "PlaidClient"

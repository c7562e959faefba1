"""`bankloom demo`: the main job in one command, again and again, and nothing left behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from sqlalchemy import text

from bankloom.core.db import Database
from bankloom.core.settings import Settings
from harness import wait_until
from scenes import days_ago

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
HOUSEHOLD = ROOT / "tests" / "fixtures" / "household.json"
PUBLISHED = sorted((ROOT.parent / "shared" / "custom-users").glob("*.json"))
"""Plaid's own custom users, where somebody has put them beside the checkout."""

DEMO_SECONDS_MAX = 100


def command(folder: Path, *arguments: str | Path) -> list[str]:
    if not (folder / "bank-port").exists():
        (folder / "bank-port").write_text(str(free_port()))  # other demos may run on this machine
    demo = [sys.executable, "-c", "from bankloom.cli import main; main()", "demo"]
    return [*demo, "--data-dir", str(folder), "--port", "0", *map(str, arguments)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def demo(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *arguments),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS_MAX,
        cwd=elsewhere(folder),
    )


def elsewhere(folder: Path) -> Path:
    """Return a working folder with somebody's real settings, which a demo must not touch."""
    working = folder / "elsewhere"
    working.mkdir(exist_ok=True)
    (working / ".env").write_text("BANKLOOM_DATABASE_URL=postgresql://me@host.invalid/real\n")
    return working


def rows(folder: Path, sql: str) -> Sequence[Any]:
    """Look into the demo's own database."""
    settings = Settings(data_dir=folder / "bankloom", _env_file=None)
    with closing(Database.open(settings)) as database, database.session() as session:
        return session.execute(text(sql)).all()


def left_over(folder: Path) -> list[str]:
    """Name the processes of this demo that still run."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = " ".join(
            [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        )
        if str(folder) in words and process.status() != psutil.STATUS_ZOMBIE:
            found.append(words[:200])
    return found


EVERYTHING = """
    SELECT u.name, a.account_id, t.transaction_id, t.amount, t.created_at FROM users u
    JOIN items i ON i.user_id = u.id JOIN accounts a USING (item_id)
    LEFT JOIN transactions t USING (account_id) ORDER BY 1, 2, 3
"""


def test_a_second_demo_finds_the_same_data(reachable_dir: Path) -> None:
    """Once and again: both show two people's money, nothing is doubled, nothing runs on."""
    first = demo(reachable_dir, "--once")
    assert first.returncode == 0, first.stderr
    before = rows(reachable_dir, EVERYTHING)
    assert {row.name for row in before} == {"ada", "grace"}
    assert len(before) > 400
    second = demo(reachable_dir, "--once")
    assert second.returncode == 0, second.stderr
    assert "ada was linked before" in second.stdout
    assert rows(reachable_dir, EVERYTHING) == before
    assert "First Platypus Bank" in first.stdout
    assert "Traceback" not in first.stderr + second.stderr
    assert left_over(reachable_dir) == []


BALANCES = """
    SELECT a.current, u.name AS who FROM accounts a JOIN items i USING (item_id)
    JOIN users u ON u.id = i.user_id
"""
TRANSACTIONS = """
    SELECT t.amount, t.name, u.name AS who FROM transactions t JOIN users u ON u.id = t.user_id
"""


def of_user(folder: Path, sql: str, file: Path) -> list[Any]:
    return [row for row in rows(folder, sql) if row.who.startswith(f"{file.stem}-")]


def inflow(account: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an account says of money that comes in monthly, if it does."""
    model: dict[str, Any] = account.get("inflow_model") or {}
    return model if model.get("type") else None


def test_custom_users_are_shown_exactly(reachable_dir: Path) -> None:
    """What the files say is what is stored and shown: accounts, balances, transactions."""
    files = [HOUSEHOLD, *PUBLISHED]
    shown = demo(reachable_dir, "--once", *(word for file in files for word in ("--user", file)))
    assert shown.returncode == 0, shown.stderr
    for file in files:
        expected = json.loads(file.read_text(), parse_float=Decimal)["override_accounts"]
        user = of_user(reachable_dir, BALANCES, file)
        balances = [each.get("starting_balance") for each in expected]
        balances = [Decimal(1000) if told is None else Decimal(told) for told in balances]
        assert sorted(row.current for row in user) == sorted(balances), file
        everything = of_user(reachable_dir, TRANSACTIONS, file)
        monthly = {model["transaction_name"] for each in expected if (model := inflow(each))}
        stored = [row for row in everything if row.name not in monthly]
        assert len(everything) - len(stored) == 24 * len(monthly), file  # two years of months
        told = [each for account in expected for each in account.get("transactions") or ()]
        whole = [each for each in told if each["amount"] is not None and each["date_posted"]]
        theirs = [each for each in whole if each["date_posted"] >= days_ago(730)]  # Plaid's limit
        assert sorted((row.amount, row.name) for row in stored) == sorted(
            (Decimal(each["amount"]), each["description"]) for each in theirs
        ), file
    for piece in ("Joint Checking", "1,204.50", "-12.345678", "-19.90", "+0.125", "0815"):
        assert piece in shown.stdout
    assert shown.stdout.count("Corner Shop") == 2


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b'{"override_accounts": 7}'])
def test_a_bad_file_is_one_sentence(reachable_dir: Path, content: bytes | None) -> None:
    """A file that is missing, no JSON, or no custom user ends the demo with a sentence."""
    file = reachable_dir / "person.json"
    if content is not None:
        file.write_bytes(content)
    ended = demo(reachable_dir, "--once", "--user", file)
    assert ended.returncode in {1, 2}
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip()) > 20
    assert left_over(reachable_dir) == []


def test_it_stays_until_ctrl_c(reachable_dir: Path) -> None:
    """Its lines work as they stand, what happens at the bank comes by itself, Ctrl-C ends it all."""
    output = reachable_dir / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            command(reachable_dir, "--user", HOUSEHOLD), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        wait_until(
            lambda: "Ctrl-C stops" in output.read_text() or process.poll() is not None,
            DEMO_SECONDS_MAX,
        )
        lines = re.findall(r"^ +(curl .*)$", output.read_text(), re.MULTILINE)
        accounts, transactions, items, _change = (json.loads(run(line)) for line in lines)
        assert {row["name"] for row in accounts} == {"Joint Checking", "Card"}
        assert len(transactions["transactions"]) == 3
        assert len(items) == 1
        folder, items_list, psql = re.findall(
            r"^ +(cd .*|.* items list|.* db psql)$", output.read_text(), re.MULTILINE
        )
        assert "healthy" in run(f"{folder} && {items_list}")
        wait_until(lambda: "Coffee" in run(lines[1]))  # the bank's webhook brought it
        assert run(f"{folder} && {psql} -Atc 'TABLE transactions'").count("\n") == 4
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(40)
    assert code == 0
    assert left_over(reachable_dir) == []


def run(line: str) -> str:
    return subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True).stdout


def test_ctrl_c_while_it_starts(reachable_dir: Path) -> None:
    """Interrupted while a program starts, the demo leaves none of them running."""
    process = subprocess.Popen(
        command(reachable_dir, "--once"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: (reachable_dir / "bankloom.log").exists() or process.poll() is not None, 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(40) != 0
    wait_until(lambda: not left_over(reachable_dir))

"""Which versions of Plaid's clients go the whole way: installs each in a folder of its own and runs its flow.

`make clients` runs it; `ARGS="--python 46.0.0 --node 47.0.0"` tries other versions than the usual ones.
It fetches from PyPI and npm, and prints a line for each version and the table of docs/platypus.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from platypus_bank.testing import Running, running

HERE = Path(__file__).parent
# The last that fails, the first that passes, and some majors up to the newest.
PYTHON = ("12.0.0", "13.0.0", "15.0.0", "19.0.0", "24.0.0", "30.0.0", "36.0.0", "41.0.0", "46.0.0")
NODE = ("9.7.0", "9.9.0", "12.0.0", "18.0.0", "24.0.0", "30.0.0", "36.0.0", "42.0.0", "47.0.0")
FLOW_SECONDS = 60
_LINE_LENGTH = 160
Prepare = Callable[[str, Path], tuple[list[str], dict[str, str]]]


def plaid_python(version: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Install a version of plaid-python; return the command of its flow, and its environment."""
    wanted = [f"plaid-python=={version}", "pyjwt[crypto]"]
    _quietly(sys.executable, "-m", "pip", "install", "--target", str(folder), *wanted)
    return [sys.executable, str(HERE / "flow.py")], {"PYTHONPATH": str(folder)}


def plaid_node(version: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Install a version of plaid for Node; return the command of its flow, and its environment."""
    quick = ["--no-audit", "--no-fund"]
    _quietly("npm", "install", "--prefix", str(folder), *quick, f"plaid@{version}", "jose@6")
    flow = shutil.copy(HERE.parent / "node/flow.mjs", folder)
    return ["node", str(flow)], {}


def attempt(bank: Running, prepare: Prepare, version: str) -> bool:
    """Say whether a version goes the whole way, on a line of its own."""
    with tempfile.TemporaryDirectory(prefix="platypus-client-") as folder:
        command, environment = prepare(version, Path(folder))
        done = subprocess.run(
            [*command, bank.url, f"{prepare.__name__} {version}"],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=FLOW_SECONDS,
            check=False,
        )
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or [""]
    outcome = "passes" if done.returncode == 0 else "FAILS "
    sys.stdout.write(f"{prepare.__name__} {version:8} {outcome} {said[-1][:_LINE_LENGTH]}\n")
    sys.stdout.flush()
    return done.returncode == 0


def measured(bank: Running, prepare: Prepare, versions: Iterable[str]) -> str:
    """Return the row of the table for one client."""
    outcomes = {version: attempt(bank, prepare, version) for version in versions}
    passing = ", ".join(version for version, passed in outcomes.items() if passed)
    failing = ", ".join(version for version, passed in outcomes.items() if not passed)
    name = prepare.__name__.replace("_", "-")
    return f"| {name} | {passing or 'none'} | {failing or 'none'} |\n"


def main() -> None:
    """Try the versions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="*", default=PYTHON)
    parser.add_argument("--node", nargs="*", default=NODE)
    wanted = parser.parse_args()
    with running() as bank:
        rows = measured(bank, plaid_python, wanted.python) + measured(bank, plaid_node, wanted.node)
    sys.stdout.write(f"\n| client | pass | fail |\n|---|---|---|\n{rows}")


def _quietly(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)


if __name__ == "__main__":
    main()

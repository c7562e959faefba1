"""The examples of docs/platypus.md run and print what the page says; its table names what exists."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platypus_bank.plaid_door import ENDPOINTS

PAGE = (Path(__file__).parents[2] / "docs/platypus.md").read_text()
NODE_MODULES = Path(__file__).parent / "node/node_modules"
PRINTED = PAGE.split("```text\n")[1].split("```")[0]


def test_the_examples_print_what_the_page_says(bank: Any, tmp_path: Path) -> None:
    """Python, Node (where there is one) and curl, each in the world of its own client_id."""
    programs = {"python": sys.executable, "js": shutil.which("node"), "sh": "sh"}
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    printed = {}
    for language, program in programs.items():
        if language == "js" and (program is None or not (NODE_MODULES / "plaid").is_dir()):
            continue
        [example] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        file = tmp_path / f"example.{'mjs' if language == 'js' else language}"
        file.write_text(example.replace("http://127.0.0.1:8080", bank.url))
        done = subprocess.run([str(program), file], capture_output=True, text=True, check=False)
        printed[language] = done.stdout + done.stderr
    assert printed == dict.fromkeys(printed, PRINTED)
    if "js" not in printed:
        pytest.skip(
            "the example for Node did NOT run: no node, or no platypus/tests/node/node_modules"
        )


def test_every_endpoint_is_in_the_table() -> None:
    """Each endpoint stands in one row, with where its behaviour comes from; and none is made up."""
    table = PAGE.split("## Endpoints\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `/")]
    named: list[str] = []
    for paths, fidelity in rows:
        assert re.match(r"(documented|measured|ours)", fidelity), paths
        named += re.findall(r"`(/[\w/]+)`", paths)
    assert sorted(named) == sorted(ENDPOINTS)

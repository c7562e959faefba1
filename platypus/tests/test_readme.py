"""The README's own example runs, and its tables name what exists."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from platypus_bank.control import _ACTIONS
from platypus_bank.testing import Control

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_shell_example_works(bank: Any) -> None:
    hers = Control(bank.url, "me")
    hers.settings(initial_update_seconds=0, historical_update_seconds=0)
    script = README.split("```sh\n")[1].split("```")[0]
    script = script.replace("http://127.0.0.1:8080", bank.url).replace("sleep 2\n", "")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    page, changed, fault, refused = (
        json.loads(each) for each in done.stdout.replace("}{", "}\n{").splitlines()
    )
    assert len(page["added"]) == 3
    assert len(changed["added"]) == 1
    assert fault["fault_id"]
    assert refused["error_code"] == "INTERNAL_SERVER_ERROR"


def test_every_control_path_is_documented() -> None:
    for _, path in _ACTIONS:
        shown = "/platypus" + re.sub(r"{\w+}", "{id}", path)
        assert shown in README, shown


def test_every_setting_is_documented(bank: Any) -> None:
    for name in bank.control.call("GET", "/settings"):
        assert f"`{name}`" in README, name

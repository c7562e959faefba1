"""The README's own example runs; its tables, and that of faults in docs/platypus.md, name what exists."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from platypus_bank.control import _ACTIONS
from platypus_bank.faults.catalogue import entries, is_survived
from platypus_bank.faults.named import CallFault, Named, WebhookFault
from platypus_bank.faults.of_items import DATA

README = (Path(__file__).parents[1] / "README.md").read_text()
PAGE = (Path(__file__).parents[2] / "docs/platypus.md").read_text()
FAULTS = PAGE.split("| name | what happens |")[1].split("\n\n")[0].splitlines()[2:]


def test_the_shell_example_works(bank: Any) -> None:
    script = README.split("```sh\n")[1].split("```")[0]
    script = script.replace("http://127.0.0.1:8080", bank.url)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    settings, page, changed, fault, refused = (
        json.loads(each) for each in done.stdout.replace("}{", "}\n{").splitlines()
    )
    assert settings["initial_update_seconds"] == 0
    assert len(page["added"]) == 3
    assert len(changed["added"]) == 1
    assert fault["fault_id"]
    assert refused["error_code"] == "INTERNAL_SERVER_ERROR"


def test_every_control_path_is_documented() -> None:
    for _, path in _ACTIONS:
        shown = "/platypus" + re.sub(r"{\w+}", "{id}", path)
        assert shown in README, shown


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_named_fault_is_documented(entry: Named) -> None:
    """In a row of its own, in the catalogue's words; refusals of an Item's data share one."""
    [row] = [line for line in FAULTS if f"`{entry.name}`" in line.split(" | ")[0]]
    assert row.endswith(f" | {'yes' if is_survived(entry) else 'no'} |")
    if isinstance(entry, CallFault) and entry.paths == DATA:
        assert entry.does.startswith(row.split(" | ")[1][:3])
        assert " | an Item's data | " in row
        return
    where = "webhooks" if isinstance(entry, WebhookFault) else "the world"
    if isinstance(entry, CallFault):
        where = ", ".join(f"`{path}`" for path in entry.paths).replace("`*`", "any call")
    assert row.startswith(f"| `{entry.name}` | {entry.does} | {where} |")


def test_the_page_names_no_fault_that_is_not_there() -> None:
    named = {name for row in FAULTS for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    assert named == {entry.name for entry in entries()}


def test_every_setting_is_documented(bank: Any) -> None:
    for name in bank.control.call("GET", "/settings"):
        assert f"`{name}`" in README, name

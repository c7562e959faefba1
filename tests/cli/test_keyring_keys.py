"""`bankloom keys` beside a running service: each step of the rotation as docs/keys.md shows it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bankloom.cli import keyring_keys
from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import Keyring
from commands import bankloom
from harness import environment_for
from scenes import query
from sealed_rows import COLUMNS, add_rows

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime


@pytest.fixture
def beside(settings: Settings) -> dict[str, str]:
    """The environment of a command beside the service of this test."""
    return environment_for(settings)


def test_a_rotation_step_by_step(runtime: Runtime, beside: dict[str, str]) -> None:
    """Add, rotate, check, while the service runs; no key and no secret is shown."""
    add_rows(runtime, 3)
    shown = ""
    for arguments, says in (
        (["add", "spring"], "Every running process has it. Next: bankloom keys rotate --to spring"),
        (["rotate", "--to", "spring"], "Everything is sealed under 'spring'."),
        (["check"], "Nothing is sealed under 'main': bankloom keys retire main"),
    ):
        ended = bankloom(beside, "keys", *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert says in ended.stdout
        shown += ended.stdout
    assert f"All {3 * COLUMNS} sealed rows open." in shown
    assert f"serve on {os.uname().nodename} (process {os.getpid()})" in shown
    keys = (runtime.settings.data_dir / "keyring").read_text()
    assert [line.partition(":")[0] for line in keys.split()] == ["spring", "main", "index"]
    assert all(line.partition(":")[2] not in shown for line in keys.split())
    add_rows(runtime, 1, prefix="later")


def test_a_check_names_what_does_not_open(runtime: Runtime, beside: dict[str, str]) -> None:
    """Even with a key lost, where nothing else starts: column and row, exit code 1, no value."""
    add_rows(runtime, 2, "items")
    sealed = "v1.lost.c2VjcmV0"
    query(runtime, "UPDATE items SET access_token_sealed = :s WHERE item_id = 'row-1'", s=sealed)
    checked = bankloom(beside, "keys", "check")
    assert checked.returncode == 1
    assert (
        "items.access_token_sealed of row row-1: A stored secret was sealed under the key 'lost'"
        in (checked.stdout)
    )
    assert "1 of 2 sealed rows do not open." in checked.stdout
    assert "c2VjcmV0" not in checked.stdout + checked.stderr


def test_a_generated_key_is_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for BANKLOOM_ENCRYPTION_KEYS, kept nowhere."""
    for name in ("new", "index"):
        keyring_keys.generate(name)
    assert Keyring.parse(capsys.readouterr().out).marks[0].name == "new"
    with pytest.raises(ConfigurationError):
        keyring_keys.generate("a b")

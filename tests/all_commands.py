"""Every command of `bankloom`, one process for each, all forked from one that has imported them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import typer.main

from bankloom.cli import app

if TYPE_CHECKING:
    from collections.abc import Sequence

FORKING = """
import json, os, sys
from bankloom.cli import main
for arguments in json.loads(os.environ.pop("COMMANDS")):
    print(f"@@@ {' '.join(arguments)}", flush=True)
    if os.fork():
        os.wait()
        continue
    os.dup2(1, 2)
    sys.argv = ["bankloom", *arguments]
    main()
    os._exit(0)
"""

MARK = "@@@ "
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

RUN_ELSEWHERE = {"serve", "worker", "demo", "db restore", "db move", "db upgrade"}
"""Servers, and what wants another database; each has tests of its own."""

TELLS_ON_PURPOSE = {"keys create", "db url", "signin"}
"""What prints a secret because that is what it is for."""


def command_names() -> set[str]:
    """Return every command as it is typed."""
    return set(_names(typer.main.get_command(app), ()))


def _names(command: Any, path: tuple[str, ...]) -> list[str]:
    inner: dict[str, Any] = getattr(command, "commands", {})
    if not inner:
        return [" ".join(path)]
    return [name for key, each in inner.items() for name in _names(each, (*path, key))]


def run_all(environment: dict[str, str], item_id: str, token: str) -> dict[str, str]:
    """Run every command beside a service; return what each said, but for what tells on purpose.

    What must not be seen in its arguments is given on standard input. A command that is not known
    here fails the test: say how it is run, or where else it is.
    """
    first = _run(environment, ["keys list", "webhooks list"])
    (key, *_), (delivery, *_) = (
        re.findall(pattern, text)
        for pattern, text in zip((r"bl_[0-9a-f]{8}", _UUID), first.values(), strict=True)
    )
    arguments = {
        "db backup": ("db", "backup", f"{environment['TMPDIR']}/backup"),
        "db psql": ("db", "psql", "-c", "SELECT pg_sleep(0.5)"),
        "items refresh": ("items", "refresh", item_id, "--yes"),
        "items show": ("items", "show", item_id),
        "items sync": ("items", "sync", item_id),
        "jobs cancel": ("jobs", "cancel", item_id),
        "jobs retry": ("jobs", "retry", "--all"),
        "keys create": ("keys", "create", "a key"),
        "keys revoke": ("keys", "revoke", key),
        "webhooks replay": ("webhooks", "replay", delivery),
        "webhooks show": ("webhooks", "show", delivery),
    }
    bare = {"db url", "doctor", "items import", "items list", "jobs list", "keys list", "signin"}
    bare |= {"webhooks list", "webhooks self-test"}
    assert command_names() == arguments.keys() | bare | RUN_ELSEWHERE
    given = f"{token} ada transactions\n{token} {token}\n{token[:-1]} ada x\n"
    wanted = [arguments.get(name, name.split()) for name in sorted(arguments.keys() | bare)]
    said = _run(environment, wanted, given)
    return {
        command: text
        for command, text in {**first, **said}.items()
        if " ".join(command.split()[:2]) not in TELLS_ON_PURPOSE
    }


def _run(
    environment: dict[str, str], commands: Sequence[str | Sequence[str]], given: str = ""
) -> dict[str, str]:
    split = [each.split() if isinstance(each, str) else each for each in commands]
    ended = subprocess.run(
        [sys.executable, "-c", FORKING],
        env={**os.environ, **environment, "COMMANDS": json.dumps(split), "COLUMNS": "250"},
        check=True,
        capture_output=True,
        text=True,
        input=given,
        timeout=120,
    )
    assert not ended.stderr
    parts = ended.stdout.split(MARK)[1:]
    said = {name: text for name, _, text in (part.partition("\n") for part in parts)}
    assert len(said) == len(commands)
    return said

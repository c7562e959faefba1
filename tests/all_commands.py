"""Every command of `bankloom`, one process for each, all forked from one that has imported them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer.main

from bankloom.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORKING = """
import gc, json, os, sys
import sqlalchemy.orm
from bankloom.cli import main

def run(arguments):
    os.dup2(1, 2)
    sys.argv = ["bankloom", *arguments]
    code = 0
    try:
        main()
    except SystemExit as ending:
        code = ending.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take the interpreter apart in order costs most of a second

sqlalchemy.orm.configure_mappers()
gc.freeze()
for arguments in json.loads(os.environ.pop("COMMANDS")):
    print(f"@@@ {' '.join(arguments)}", flush=True)
    if not os.fork():
        run(arguments)
    print(f"=== {os.waitstatus_to_exitcode(os.wait()[1])}", flush=True)
"""

MARK = "@@@ "
CODE_MARK = "=== "
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

RUN_ELSEWHERE = {"serve", "worker", "demo", "db restore", "db move", "db upgrade"}
"""Servers, and what wants another database; each has tests of its own."""

TELLS_ON_PURPOSE = {"keys create", "keys generate", "signin", "db url"}
"""What prints a secret because that is what it is for."""

MAY_REFUSE = {"doctor", "items import", "keys retire"}
"""What ends with 1 here: not all is well, two bad lines, a key that was in use a moment ago."""


@dataclass(frozen=True)
class Said:
    """What a command printed, on both streams, and its exit code."""

    command: str
    text: str
    code: int


def command_names() -> set[str]:
    """Return every command as it is typed."""
    return set(_names(typer.main.get_command(app), ()))


def _names(command: Any, path: tuple[str, ...]) -> list[str]:
    inner: dict[str, Any] = getattr(command, "commands", {})
    if not inner:
        return [" ".join(path)]
    return [name for key, each in inner.items() for name in _names(each, (*path, key))]


def run_all(environment: dict[str, str], item_id: str, user: str, given: str) -> dict[str, Said]:
    """Run every command beside a service; return by its name what each said.

    `item_id` and `user` are gone afterwards; `given` is the standard input of `items import`. A command
    that is not known here fails the test: say how it is run, or where else it is.
    """
    listed = _run(environment, ["keys list", "webhooks list"])
    key = re.findall(r"bl_[0-9a-f]{8}", listed[0].text)[0]
    delivery = re.findall(_UUID, listed[1].text)[0]
    wanted = _in_order(item_id, user, key, delivery, f"{environment['TMPDIR']}/../backup")
    assert command_names() == wanted.keys() | RUN_ELSEWHERE
    said = dict(zip(wanted, _run(environment, wanted.values(), given), strict=True))
    refused = {name: each.text for name, each in said.items() if each.code}
    assert refused.keys() <= MAY_REFUSE, refused
    return said


def _in_order(
    item_id: str, user: str, key: str, delivery: str, backup: str
) -> dict[str, str | tuple[str, ...]]:
    """Return how each command is typed: what looks first, what erases last."""
    return {
        "doctor": "doctor",
        "db psql": ("db", "psql", "-c", "SELECT pg_sleep(0.5)"),
        "db url": "db url",
        "signin": "signin",
        "items list": "items list",
        "items show": f"items show {item_id}",
        "items sync": f"items sync {item_id}",
        "items refresh": f"items refresh {item_id} --yes",
        "items import": "items import",
        "items rotate-token": f"items rotate-token {item_id}",
        "jobs list": "jobs list",
        "jobs retry": "jobs retry --all",
        "jobs cancel": f"jobs cancel {item_id}",
        "webhooks list": "webhooks list",
        "webhooks show": f"webhooks show {delivery}",
        "webhooks replay": f"webhooks replay {delivery}",
        "webhooks self-test": "webhooks self-test",
        "keys create": ("keys", "create", "a key"),
        "keys list": "keys list",
        "keys revoke": f"keys revoke {key}",
        "keys generate": "keys generate autumn",
        "keys add": "keys add spring",
        "keys rotate": "keys rotate --to spring",
        "keys check": "keys check",
        "keys retire": "keys retire main",
        "items remove": f"items remove {item_id} --yes",
        "users erase": f"users erase {user} --yes",
        "audit list": "audit list",
        "audit verify": "audit verify",
        "db backup": f"db backup {backup}",
    }


def _run(
    environment: dict[str, str], commands: Iterable[str | Sequence[str]], given: str = ""
) -> list[Said]:
    split = [each.split() if isinstance(each, str) else each for each in commands]
    ended = subprocess.run(
        [sys.executable, "-c", FORKING],
        env={**os.environ, **environment, "COMMANDS": json.dumps(split), "COLUMNS": "250"},
        check=True,
        capture_output=True,
        text=True,
        input=given,
        timeout=90,
    )
    assert not ended.stderr
    said = [_parsed(part) for part in ended.stdout.split(MARK)[1:]]
    assert len(said) == len(split)
    return said


def _parsed(part: str) -> Said:
    command, _, rest = part.partition("\n")
    text, _, code = rest.rpartition(CODE_MARK)
    return Said(command, text, int(code))

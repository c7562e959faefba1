"""Runs `bankloom` as a person would: in a process of its own, with settings in its environment."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from bankloom.cli import main; main()"]


def bankloom(
    environment: dict[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a standard input of these words."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        input=given,
        timeout=60,
    )

"""`make audit`: asks PyPI whether a locked package has a known hole; says loudly what it could not ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
STRICT = "--strict"
SECONDS_MAX = 300
NAMED_MAX = 5


def main() -> int:
    """Return 1 for a known hole; with --strict also where anything was not audited."""
    found = audited()
    holes = [each for each in found if each.get("vulns")]
    for each in holes:
        ids = ", ".join(hole["id"] for hole in each["vulns"])
        print(f"{each['name']} {each['version']}: {ids}")
    clean = [each for each in found if "vulns" in each]
    print(f"Packages audited: {len(clean)} of {len(found)}, with known holes: {len(holes)}.")
    left_out = [each["name"] for each in found if "vulns" not in each]
    if left_out or not found:
        shout(f"NOT AUDITED: {named(left_out) or 'everything: pip-audit could not ask PyPI'}")
    return 1 if holes or (STRICT in sys.argv and (left_out or not found)) else 0


def audited() -> list[dict[str, Any]]:
    """Return what pip-audit found of each package: `vulns`, or why not; nothing where it failed."""
    locks = [word for lock in LOCKS for word in ("-r", lock)]
    options = ["--require-hashes", "--disable-pip", "--vulnerability-service=pypi", "--format=json"]
    command = [sys.executable, "-m", "pip_audit", *locks, *options, "--progress-spinner=off"]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return []
    except ValueError:  # it writes no JSON where it can't reach PyPI
        print((ended.stderr.strip().splitlines() or ["pip-audit said nothing."])[-1])
        return []
    return found


def named(names: list[str]) -> str:
    """Return the first of them, and how many there are more."""
    more = len(names) - NAMED_MAX
    rest = f" and {more} more, whose versions this index does not know" if more > 0 else ""
    return ", ".join(names[:NAMED_MAX]) + rest


def shout(sentence: str) -> None:
    """Print so that nobody overlooks it."""
    frame = "!" * len(sentence)
    color, end = ("\033[1;31m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"{color}{frame}\n{sentence}\n{frame}{end}")


if __name__ == "__main__":
    sys.exit(main())

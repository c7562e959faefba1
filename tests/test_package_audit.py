"""`make audit` fails for a known hole, and says what it could not look at."""

from __future__ import annotations

from typing import Any

import pytest

import package_audit

CLEAN = {"name": "good", "version": "1", "vulns": []}
BROKEN = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}
UNKNOWN = {"name": "new", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "codes", "said"),
    [
        ([CLEAN], (0, 0), "Packages audited: 1 of 1, with known holes: 0."),
        ([CLEAN, BROKEN], (1, 1), "bad 2: PYSEC-1, PYSEC-2"),
        ([CLEAN, UNKNOWN], (0, 1), "NOT AUDITED: new"),
        ([], (0, 1), "NOT AUDITED: everything"),
    ],
)
def test_the_audit_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: list[dict[str, Any]],
    codes: tuple[int, int],
    said: str,
) -> None:
    """A hole fails it; what was not asked fails it only where that is wanted, and is never passed over."""
    monkeypatch.setattr(package_audit, "audited", lambda: found)
    for arguments, expected in zip(([], ["--strict"]), codes, strict=True):
        monkeypatch.setattr("sys.argv", ["package_audit.py", *arguments])
        assert package_audit.main() == expected
        assert said in capsys.readouterr().out

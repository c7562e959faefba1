"""`bankloom audit`: what commands have done is listed, and a broken log ends with code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from bankloom.cli.acting import actor
from commands import bankloom

if TYPE_CHECKING:
    from pathlib import Path


def test_commands_are_noted_and_the_log_is_verified(
    environment: dict[str, str], embedded_database_url: str, tmp_path: Path
) -> None:
    """Who ran them stands in the log; no key does; a change of an entry is found."""
    key = bankloom(environment, "keys", "create", "mine").stdout.strip()
    assert bankloom(environment, "db", "url").returncode == 0
    listed = bankloom(environment, "audit", "list", "--actor", actor())
    assert listed.returncode == 0, listed.stderr
    assert [word for word in ("key.created", "reader.told") if word not in listed.stdout] == []
    assert key not in listed.stdout
    good = bankloom(environment, "audit", "verify")
    assert good.returncode == 0, good.stderr
    assert "2 are not sealed yet" in good.stdout
    with psycopg.connect(embedded_database_url) as own:
        own.execute("ALTER TABLE bankloom.audit_entries DISABLE TRIGGER USER")
        own.execute("UPDATE bankloom.audit_entries SET actor = 'somebody else'")
    (tmp_path / "data" / "audit-head").write_text("7:00ff\n")
    broken = bankloom(environment, "audit", "verify", "--head", "9:aa")
    assert broken.returncode == 1
    assert "BROKEN at an entry not sealed yet" in broken.stderr
    assert bankloom(environment, "audit", "verify", "--head", "nonsense").returncode == 2

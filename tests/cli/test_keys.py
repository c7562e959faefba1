"""`bankloom keys create`, `list` and `revoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.cli import app
from bankloom.core.errors import InvalidRequestError
from bankloom.models import Scope
from bankloom.services import api_keys
from bankloom.services.api_keys import WantedKey
from commands import bankloom
from scenes import query

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime


def test_a_key_from_its_making_to_its_end(environment: dict[str, str]) -> None:
    """The key alone is on stdout, for a file; the list and every later word know it by its prefix."""
    made = bankloom(environment, "keys", "create", "report", "--scope", "read", "--owner", "Grace")
    key = made.stdout.strip()
    assert made.returncode == 0
    assert "shown only this once" in made.stderr
    assert key not in made.stderr
    revoked = bankloom(environment, "keys", "revoke", key[:11])
    assert "is revoked" in revoked.stdout
    listed = bankloom(environment, "keys", "list").stdout
    assert key not in listed
    assert all(word in listed for word in (key[:11], "report", "Grace", "everyone", "revoked 2"))


@pytest.mark.parametrize("user", ["", "*", "a\nb", "a" * 513])
def test_no_key_for_nobody(runtime: Runtime, user: str) -> None:
    """An empty variable of a script, above all, makes no key that reaches everyone."""
    with pytest.raises(InvalidRequestError, match="everyone"):
        api_keys.create(runtime, WantedKey("report", [Scope.READ], user))
    assert query(runtime, "SELECT 1 FROM api_keys WHERE name = 'report'") == []


@pytest.mark.parametrize("days", ["0", "-1", "1000000000"])
def test_days_are_a_date(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No number of days ends in a traceback."""
    with pytest.raises(SystemExit) as ended:
        app(["keys", "create", "report", "--days", days])
    assert ended.value.code == 2
    assert "--days" in capsys.readouterr().err

"""`bankloom keys create`, `list` and `revoke`."""

from __future__ import annotations

from commands import bankloom


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

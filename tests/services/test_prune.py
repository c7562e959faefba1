"""What has served its time is forgotten, once an hour by one worker, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import Chore, webhook_delivery
from bankloom.services import prune
from scenes import background, query

if TYPE_CHECKING:
    import pytest

    from bankloom.services.runtime import Runtime

DELIVERY = """
    INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type,
        webhook_code, body_sealed, handled_at, next_try_at)
    SELECT :name || n, 'k', now(), now() - make_interval(days => :days), 'T', 'C', 's',
        CASE WHEN :handled THEN now() END, CASE WHEN :due THEN now() END
    FROM generate_series(1, :count) n
"""


def deliver(
    runtime: Runtime, name: str, days: int, *, handled: bool, due: bool = False, count: int = 1
) -> None:
    """Store deliveries that came so many days ago."""
    query(runtime, DELIVERY, name=name, days=days, handled=handled, due=due, count=count)


def kept(runtime: Runtime) -> set[str]:
    """Return the names of the deliveries that are there."""
    rows = query(runtime, "SELECT rtrim(jwt_hash, '0123456789') AS name FROM webhook_deliveries")
    return {row.name for row in rows}


def test_old_deliveries_are_forgotten(parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handled ones, and those whose Item never came; not those of late, nor what is tried again."""
    monkeypatch.setattr(webhook_delivery, "FORGOTTEN_AT_ONCE_MAX", 10)
    deliver(parts, "old", 31, handled=True, count=25)
    deliver(parts, "unowned", 31, handled=False)
    deliver(parts, "trying", 31, handled=False, due=True)
    deliver(parts, "new", 29, handled=True)
    prune.now(parts)
    assert kept(parts) == {"trying", "new"}


def test_it_is_done_once_an_hour(parts: Runtime) -> None:
    """However often a tick asks."""
    prune.now(parts)
    deliver(parts, "old", 31, handled=True)
    prune.now(parts)
    assert kept(parts) == {"old"}
    query(parts, "UPDATE chores SET due_at = now()")
    prune.now(parts)
    assert kept(parts) == set()


def test_of_many_workers_one_does_it(parts: Runtime) -> None:
    """All that ask at the same moment, for a chore that nobody has done yet."""
    at = clock.now()

    def claim() -> bool:
        with parts.database.session() as session:
            return Chore.claim(session, "chore", at, timedelta(hours=1))

    with background() as start:
        claims = [start(claim) for _ in range(16)]
        assert sum(each.result() for each in claims) == 1


SESSION = """
    INSERT INTO link_sessions (id, user_id, world, products, link_token_sealed, link_token_hash,
        expires_at, created_at)
    SELECT gen_random_uuid(), u.id, 'w', '{transactions}', CASE WHEN :open THEN 's' END, :name, at, at
    FROM users u, (SELECT now() - make_interval(days => :days) AS at) t
"""
CLAIM = """
    INSERT INTO exchange_claims (public_token_hash, public_token_sealed, user_id, link_session_id,
        world, product, state, lease_until)
    SELECT 'h', 's', user_id, id, 'w', 'transactions', 'possible orphan', now()
    FROM link_sessions WHERE link_token_hash = 'named'
"""


def test_old_link_sessions_are_forgotten(parts: Runtime) -> None:
    """Those that are over; not those that Plaid still answers for, nor what an orphan came from."""
    query(parts, "INSERT INTO users (name) VALUES ('ada')")
    for name, days, is_open in (
        ("old", 31, False), ("open", 31, True), ("named", 31, False), ("new", 29, False),
    ):  # fmt: skip
        query(parts, SESSION, name=name, days=days, open=is_open)
    query(parts, CLAIM)
    prune.now(parts)
    left = query(parts, "SELECT link_token_hash AS name FROM link_sessions")
    assert {row.name for row in left} == {"open", "named", "new"}

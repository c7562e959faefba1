"""Polls the Link sessions that nobody may call us back for: a closed tab, a hosted page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import LinkSession
from bankloom.services import link_outcome, turn
from bankloom.services.exchange_token import lease_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

ASKED_AT_ONCE = 8
ROUNDS_MAX = 32
"""How many rounds of one poll each a turn has: the rest is due at the next one."""


def now(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Ask about the sessions that are due, until none is, or Plaid does not answer."""
    for _ in range(ROUNDS_MAX):
        if should_stop():
            return
        at = clock.now()
        with runtime.database.session() as session:
            lease = lease_until(runtime, at)
            links = LinkSession.claim_due(session, runtime.plaid.world, at, lease, ASKED_AT_ONCE)
        if not links:
            return
        with ThreadPoolExecutor(ASKED_AT_ONCE, "poll-session") as pool:
            if not all(pool.map(partial(_poll, runtime), links)):
                return


def _poll(runtime: Runtime, link: LinkSession) -> bool:
    """Settle one session; say whether Plaid answered."""
    return turn.do_or_put_off(
        f"Link session {link.id}",
        partial(link_outcome.settle, runtime, link),
        partial(_put_off, runtime, link),
    )


def _put_off(runtime: Runtime, link: LinkSession, _why: str) -> None:
    at = clock.now()
    with runtime.database.session() as session:
        LinkSession.ask_again(session, link.id, at + link_outcome.wait(link, at))

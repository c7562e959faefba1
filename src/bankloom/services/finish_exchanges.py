"""Finishes the exchanges that a crash cut off between the claim and our commit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import ExchangeClaim
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services import turn
from bankloom.services.exchange_token import Exchange, report_possible_orphan
from bankloom.services.find_linker import Linker

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

CLAIMS_RETRIED_MAX = 5
"""How many are tried at a time: each may take as long as Plaid's slowest answer."""


def now(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Try the open claims whose lease ran out, as long as Plaid answers."""
    world = runtime.plaid.world
    with runtime.database.session() as session:
        claims = ExchangeClaim.left_over(session, world, clock.now(), CLAIMS_RETRIED_MAX)
    for claim, user_name in claims:
        if should_stop() or not _finish(runtime, claim, user_name):
            return


def _finish(runtime: Runtime, claim: ExchangeClaim, user_name: str) -> bool:
    """Finish one, or leave it for another turn; say whether Plaid answered."""
    if clock.now() - claim.created_at > 2 * PUBLIC_TOKEN_LIFETIME:
        with runtime.database.session() as session:
            report_possible_orphan(session, claim.public_token_hash, claim.attempts)
        return True
    return turn.do_or_put_off(
        "An exchange that was cut off",
        partial(_spend, runtime, claim, user_name),
        partial(_put_off, runtime, claim),
    )


def _spend(runtime: Runtime, claim: ExchangeClaim, user_name: str) -> None:
    public_token = runtime.keyring.open(claim.public_token_sealed or "", claim.public_token_hash)
    linker = Linker(user_name, claim.user_id, claim.link_session_id)
    cut_off = Exchange(runtime, public_token, claim.product, linker)
    attempt = cut_off.claim()
    if attempt is not None:
        cut_off.spend(attempt)


def _put_off(runtime: Runtime, claim: ExchangeClaim, _why: str) -> None:
    """Let the others go first the next time; one that was claimed anew has a new lease already."""
    with runtime.database.session() as session:
        token_hash = claim.public_token_hash
        ExchangeClaim.end_lease(session, token_hash, claim.attempts, clock.now())

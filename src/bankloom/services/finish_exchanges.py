"""Finishes the exchanges that a crash cut off between the claim and our commit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import BankloomError, PlaidUnreachableError
from bankloom.models import ExchangeClaim
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services.exchange_token import Exchange, report_possible_orphan
from bankloom.services.find_linker import Linker

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

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
    token_hash = claim.public_token_hash
    if clock.now() - claim.created_at > 2 * PUBLIC_TOKEN_LIFETIME:
        with runtime.database.session() as session:
            report_possible_orphan(session, token_hash, claim.attempts)
        return True
    linker = Linker(user_name, claim.user_id, claim.link_session_id)
    try:
        public_token = runtime.keyring.open(claim.public_token_sealed or "", token_hash)
        cut_off = Exchange(runtime, public_token, claim.product, linker)
        attempt = cut_off.claim()
        if attempt is not None:
            cut_off.spend(attempt)
    except BankloomError as error:
        log.warning("An exchange that was cut off could not be finished yet: %s", error.message)
        _put_off(runtime, claim)
        return not isinstance(error, PlaidUnreachableError)
    except Exception:  # whatever it was: the other claims must not wait for its cure
        log.exception("An exchange that was cut off could not be finished yet")
        _put_off(runtime, claim)
    return True


def _put_off(runtime: Runtime, claim: ExchangeClaim) -> None:
    """Let the others go first the next time; one that was claimed anew has a new lease already."""
    with runtime.database.session() as session:
        token_hash = claim.public_token_hash
        ExchangeClaim.end_lease(session, token_hash, claim.attempts, clock.now())

"""Finishes the exchanges that a crash cut off between the claim and our commit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import BankloomError
from bankloom.models import ExchangeClaim
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services.exchange_token import Exchange, report_possible_orphan
from bankloom.services.find_linker import Linker

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

CLAIMS_RETRIED_MAX = 5
"""How many are tried at a time: each may take as long as Plaid's slowest answer."""


def now(runtime: Runtime) -> None:
    """Try every open claim whose lease ran out."""
    world = runtime.plaid.world
    with runtime.database.session() as session:
        claims = ExchangeClaim.left_over(session, world, clock.now(), CLAIMS_RETRIED_MAX)
    for claim, user_name in claims:
        _finish(runtime, claim, user_name)


def _finish(runtime: Runtime, claim: ExchangeClaim, user_name: str) -> None:
    token_hash = claim.public_token_hash
    if clock.now() - claim.created_at > 2 * PUBLIC_TOKEN_LIFETIME:
        with runtime.database.session() as session:
            report_possible_orphan(session, token_hash, claim.attempts)
        return
    linker = Linker(user_name, claim.user_id, claim.link_session_id)
    try:
        public_token = runtime.keyring.open(claim.public_token_sealed or "", token_hash)
        cut_off = Exchange(runtime, public_token, claim.product, linker)
        attempt = cut_off.claim()
        if attempt is not None:
            cut_off.spend(attempt)
    except BankloomError as error:
        log.warning("An exchange that was cut off could not be finished yet: %s", error.message)

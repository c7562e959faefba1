"""Decides on duplicates that were held because nobody was there to be told: links or discards them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import (
    ExchangeInProgressError,
    NotFoundError,
    UnknownPublicTokenError,
)
from bankloom.models import ExchangeClaim, LinkSession, User
from bankloom.services import audit
from bankloom.services.exchange_token import Exchange, OnDuplicate
from bankloom.services.find_linker import Linker

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime


class Decision(enum.StrEnum):
    """What to do with accounts that the person has linked before."""

    LINK = "link"
    DISCARD = "discard"


def now(runtime: Runtime, link: LinkSession, decision: Decision, duplicate_of: str | None) -> None:
    """Link or discard the session's held duplicates: all of them, or those of the Item named.

    Errors: `NotFoundError` where none is held; to link, `UnknownPublicTokenError` once its public
    token has expired, `ExchangeInProgressError`, and what the client raises: it stays held then,
    unless Plaid may have spent the token: then it is finished like any exchange that was cut off.
    """
    with runtime.database.session() as session:
        held = [
            claim
            for claim in ExchangeClaim.held_of(session, [link.id])
            if duplicate_of in {None, claim.duplicate_of}
        ]
        user_name = session.get_one(User, link.user_id).name
    if not held:
        raise NotFoundError("This Link session holds no such duplicate.")
    for claim in held:
        if decision == Decision.LINK:
            _link(runtime, claim, user_name)
        else:
            _discard(runtime, claim)


def _link(runtime: Runtime, claim: ExchangeClaim, user_name: str) -> None:
    if clock.now() >= claim.spendable_until:
        raise UnknownPublicTokenError(
            "The public token of this duplicate has expired: it can only be discarded. Open Link "
            "again, or repair the Item in duplicate_of through update mode.",
            duplicate_of=claim.duplicate_of,
        )
    token = runtime.keyring.open(claim.public_token_sealed or "", claim.public_token_hash)
    linker = Linker(user_name, claim.user_id, claim.link_session_id)
    wanted = Exchange(runtime, token, claim.product, linker, OnDuplicate.LINK)
    attempt = wanted.claim()
    if attempt is None:
        raise ExchangeInProgressError
    wanted.spend(attempt)


def _discard(runtime: Runtime, claim: ExchangeClaim) -> None:
    with runtime.database.session() as session:
        ExchangeClaim.discard(session, claim.public_token_hash)
        audit.note(
            runtime,
            session,
            audit.Action.DUPLICATE_DISCARDED,
            item_id=claim.duplicate_of,
            user_id=claim.user_id,
            link_session_id=claim.link_session_id,
        )

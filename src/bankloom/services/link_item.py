"""Links an Item: exchanges a public token once, whatever happens, and answers for it afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import (
    DuplicateItemError,
    ExchangeInProgressError,
    UnknownPublicTokenError,
)
from bankloom.models import ClaimState, ExchangeClaim, Item
from bankloom.services.exchange_token import Exchange, Linked, add_tag
from bankloom.services.find_linker import Linker, find_linker, named_linker, refuse_duplicate
from bankloom.services.open_link import check_products

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime

WAIT_FOR_TWIN_SECONDS = 30
TWIN_POLL_SECONDS = 0.1


class ExchangeRequest(NamedTuple):
    """What the caller gave."""

    public_token: str
    product: str
    user_name: str | None = None
    link_token: str | None = None
    allow_duplicate: bool = False


def exchange(runtime: Runtime, asked: ExchangeRequest) -> Linked:
    """Exchange a public token for one product; later calls for other products add their tag.

    Errors: `InvalidProductsError`, `UnknownLinkTokenError`, `UserUnknownError`,
    `DuplicateItemError` (nothing was spent in these), `UnknownPublicTokenError`,
    `ExchangeInProgressError`, and what the client raises.
    """
    check_products([asked.product])
    token_hash = runtime.keyring.hash(asked.public_token)
    link_token_hash = runtime.keyring.hash(asked.link_token) if asked.link_token else None
    with runtime.database.session() as session:
        named = named_linker(session, asked.user_name, link_token_hash)
    answer = _answer_from_record(runtime, token_hash, asked.product, named)
    if answer:
        return answer
    linker = find_linker(runtime, asked.public_token, named, asked.link_token)
    if not asked.allow_duplicate:
        try:
            refuse_duplicate(runtime, linker)
        except DuplicateItemError:
            # Asked again: a twin call may have stored this very token's Item meanwhile.
            answer = _answer_from_record(runtime, token_hash, asked.product, named)
            if answer:
                return answer
            raise
    wanted = Exchange(runtime, asked.public_token, asked.product, linker)
    attempt = wanted.claim()
    if attempt is None:
        return _wait_for_twin(runtime, token_hash, asked.product, named)
    return wanted.spend(attempt)


def _answer_from_record(
    runtime: Runtime, token_hash: str, product: str, named: Linker | None
) -> Linked | None:
    """Answer from our own record of this token, and add the product's tag; None if there is none."""
    with runtime.database.session() as session:
        claim = ExchangeClaim.find(session, token_hash)
        if claim is None or claim.state == ClaimState.CLAIMED:
            return None
        by_another = named is not None and named.user_id != claim.user_id
        if by_another or not claim.answers_for(claim.user_id, clock.now()):
            raise UnknownPublicTokenError
        item = Item.find(session, claim.item_id or "")
        if item is None:
            raise UnknownPublicTokenError
        add_tag(session, item.item_id, product, claim.link_session_id)
        return Linked(
            runtime.keyring.open(item.access_token_sealed, item.item_id), item.item_id, product
        )


def _wait_for_twin(runtime: Runtime, token_hash: str, product: str, named: Linker | None) -> Linked:
    """Wait for the call that holds the claim, then answer from its record."""
    deadline = time.monotonic() + WAIT_FOR_TWIN_SECONDS
    while time.monotonic() < deadline:
        answer = _answer_from_record(runtime, token_hash, product, named)
        if answer:
            return answer
        with runtime.database.session() as session:
            claim = ExchangeClaim.find(session, token_hash)
        if claim is None or claim.lease_until < clock.now():
            break  # the twin was refused or got no answer; its caller was told why
        time.sleep(TWIN_POLL_SECONDS)
    raise ExchangeInProgressError

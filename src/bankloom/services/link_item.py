"""Links an Item: exchanges a public token once, whatever happens, and answers for it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import (
    DuplicateItemError,
    ExchangeInProgressError,
    UnknownPublicTokenError,
)
from bankloom.models import ClaimState, ExchangeClaim, Item
from bankloom.services import audit
from bankloom.services.exchange_token import Exchange, Linked, OnDuplicate, answer_from
from bankloom.services.find_linker import Linker, find_linker, named_linker
from bankloom.services.open_link import check_products

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime


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
    `ExchangeInProgressError` while another call holds the token, and what the client raises.
    """
    check_products([asked.product])
    token_hash = runtime.keyring.hash(asked.public_token)
    link_token_hash = runtime.keyring.hash(asked.link_token) if asked.link_token else None
    with runtime.database.session() as session:
        world = runtime.plaid.world
        named = named_linker(session, world, asked.user_name, link_token_hash)
    answer = _answer_from_record(runtime, token_hash, asked, named)
    if answer:
        return answer
    linker = find_linker(runtime, asked.public_token, named)
    on_duplicate = OnDuplicate.LINK if asked.allow_duplicate else OnDuplicate.REFUSE
    wanted = Exchange(runtime, asked.public_token, asked.product, linker, on_duplicate)
    attempt = wanted.claim()
    if attempt is None:
        raise ExchangeInProgressError
    return wanted.spend(attempt)


def note_told(runtime: Runtime, linked: Linked) -> None:
    """Note that the actor is told the access token; before it is, for nobody can be told less."""
    with runtime.database.session() as session:
        item = session.get_one(Item, linked.item_id)
        audit.note(
            runtime,
            session,
            audit.Action.TOKEN_TOLD,
            item_id=item.item_id,
            user_id=item.user_id,
        )


def _answer_from_record(
    runtime: Runtime, token_hash: str, asked: ExchangeRequest, named: Linker | None
) -> Linked | None:
    """Answer from our own record of this token, and add the product's tag.

    Returns None where there is no record, or one that a crash left for anyone to take up, or one
    that is held for a decision, which the call makes. Errors: `UnknownPublicTokenError` for another
    person and after 30 minutes; `ExchangeInProgressError`; `DuplicateItemError`.
    """
    with runtime.database.session() as session:
        found = ExchangeClaim.find(session, token_hash)
        if found is None:
            return None
        claim, user_name = found
        if named is not None and named.user_name != user_name:
            raise UnknownPublicTokenError
        if claim.state == ClaimState.CLAIMED:
            if claim.lease_until > clock.now():
                raise ExchangeInProgressError
            return None
        if claim.state == ClaimState.HELD:
            if asked.allow_duplicate:
                return None
            raise DuplicateItemError(claim.duplicate_of or "")
        answer = answer_from(runtime, session, claim, asked.product)
        if answer is None:
            raise UnknownPublicTokenError
        return answer

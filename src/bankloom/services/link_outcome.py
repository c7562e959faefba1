"""Settles a Link session that nobody may call us back for: asks Plaid, and does what follows."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import ExchangeInProgressError, UnknownPublicTokenError
from bankloom.models import ClaimState, ExchangeClaim, LinkSession, User
from bankloom.services import repair_item
from bankloom.services.exchange_token import Exchange, OnDuplicate
from bankloom.services.find_linker import Linker, ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.plaid_messages import ItemAddResult, LinkTokenInfo
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

SHORTEST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
"""A sixth of the life of a public token."""
WAIT_SHARE = 10
"""The wait is this part of the session's age: who takes a minute is noticed in seconds."""


def settle(runtime: Runtime, link: LinkSession) -> bool:
    """Ask Plaid what became of the session and do what follows; say whether the person got through.

    An update mode leads to a look at its Item, and exchanges nothing. A hosted session's public
    tokens are exchanged, each for all of the session's products; a duplicate is held. Anything else
    is asked about again later, until the link token expires. Safe to repeat, at the same moment
    too. Errors: the client's, `ExchangeInProgressError`, `DatabaseLostError`; nothing is lost, and
    the call may be repeated.
    """
    if link.finished_at:
        return True
    told = ask(runtime, link)
    if told and link.item_id and told.got_through:
        repair_item.by_plaid(runtime, link)
        return True
    results = told.item_add_results() if told and not link.item_id else []
    complete_each(runtime, link, results)
    if told and results and not told.is_under_way:
        with runtime.database.session() as session:
            lost = _is_lost(runtime, session, link, results)
            LinkSession.finish(session, link.id, clock.now(), lost=lost)
        return True
    _ask_again(runtime, link, told)
    return False


def complete_each(runtime: Runtime, link: LinkSession, results: Sequence[ItemAddResult]) -> None:
    """Complete the public tokens of a session; one that fails does not keep its siblings from it.

    Errors: the first one's, once all were tried.
    """
    failed = []
    for added in results:
        try:
            complete(runtime, link, added)
        except Exception as error:  # noqa: BLE001 - raised below, whatever it was
            failed.append(error)
    if failed:
        raise failed[0]


def complete(runtime: Runtime, link: LinkSession, added: ItemAddResult) -> None:
    """Exchange a public token for all products of its session, or hold it; unless that was done."""
    with runtime.database.session() as session:
        user_name = session.get_one(User, link.user_id).name
    linker = Linker(user_name, link.user_id, link.id, added)
    wanted = Exchange(runtime, added.public_token, link.products[0], linker, OnDuplicate.HOLD)
    if is_dealt_with(runtime, wanted.token_hash):
        return
    attempt = wanted.claim()
    if attempt is not None:
        _spend(wanted, attempt)
    elif not is_dealt_with(runtime, wanted.token_hash):
        raise ExchangeInProgressError


def is_dealt_with(runtime: Runtime, token_hash: str) -> bool:
    """Say whether a public token was exchanged, held, discarded or lost."""
    with runtime.database.session() as session:
        found = ExchangeClaim.find(session, token_hash)
    return found is not None and found[0].state != ClaimState.CLAIMED


def _spend(wanted: Exchange, attempt: int) -> None:
    try:
        wanted.spend(attempt)
    except UnknownPublicTokenError as error:
        log.warning(
            "Link session %s: a public token can't be exchanged any more, so the person has to go "
            "through Link again (%s)",
            wanted.linker.session_id,
            error.details.get("request_id"),
        )


def _is_lost(
    runtime: Runtime, session: Session, link: LinkSession, results: Sequence[ItemAddResult]
) -> bool:
    """Say whether nothing came of a session: no Item, and nothing that a person decides on, or did."""
    if session.get_one(LinkSession, link.id).linked_item_ids:
        return False
    hashes = [runtime.keyring.hash(added.public_token) for added in results]
    found = [ExchangeClaim.find(session, each) for each in hashes]
    return not any(row and row[0].state != ClaimState.POSSIBLE_ORPHAN for row in found)


def _ask_again(runtime: Runtime, link: LinkSession, told: LinkTokenInfo | None) -> None:
    """Write when to ask again; never, once Plaid has forgotten the session or it came to nothing."""
    at = clock.now()
    is_over = told is None or (at >= link.expires_at and not told.is_under_way)
    with runtime.database.session() as session:
        LinkSession.ask_again(
            session,
            link.id,
            None if is_over else at + wait(link, at),
            exited_at=told.left_at if told else None,
        )


def wait(link: LinkSession, at: datetime) -> timedelta:
    """Return how long to wait before asking again."""
    return min(max((at - link.created_at) / WAIT_SHARE, SHORTEST_WAIT), LONGEST_WAIT)

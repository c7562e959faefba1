"""Finds out who linked: the user and the Link session behind a public token, spending nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from bankloom.core.errors import (
    PlaidRefusedError,
    UnknownLinkTokenError,
    UnknownPublicTokenError,
    UserUnknownError,
)
from bankloom.models import Account, LinkSession, User
from bankloom.services.plaid_errors import GONE

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from bankloom.models import World
    from bankloom.services.plaid_messages import ItemAddResult, LinkTokenInfo
    from bankloom.services.runtime import Runtime


class UpdateModeTokenError(UnknownPublicTokenError):
    """The public token comes from update mode, which changes no access token."""

    def __init__(self, item_id: str) -> None:
        super().__init__(
            "This public token comes from update mode, which changes no access token: there is "
            f"nothing to exchange. Call POST /plaid/items/{item_id}/repaired instead.",
            item_id=item_id,
        )


SESSIONS_ASKED_MAX = 50
SESSIONS_ASKED_AT_ONCE = 8


@dataclass(frozen=True)
class Linker:
    """Who linked, in which session, and what Link told of it; None where that is not known."""

    user_name: str
    user_id: uuid.UUID | None
    session_id: uuid.UUID | None = None
    result: ItemAddResult | None = None


def named_linker(
    session: Session, world: World, user_name: str | None, link_token_hash: str | None
) -> Linker | None:
    """Return whom the caller named, by user or by link token.

    Errors: `UnknownLinkTokenError`; `UnknownPublicTokenError` where the link token is of update
    mode: nothing that comes of it is to be exchanged, whatever Plaid still shows.
    """
    user = User.find(session, user_name) if user_name else None
    if link_token_hash is None:
        return Linker(user_name, user.id if user else None) if user_name else None
    link = LinkSession.find_by_token_hash(session, link_token_hash)
    if link is None or link.world != str(world):
        raise UnknownLinkTokenError
    if user_name and (user is None or user.id != link.user_id):
        raise UnknownLinkTokenError
    if link.item_id:
        raise UpdateModeTokenError(link.item_id)
    return Linker(session.get_one(User, link.user_id).name, link.user_id, link.id)


def find_linker(runtime: Runtime, public_token: str, named: Linker | None) -> Linker:
    """Ask Plaid about the open sessions, the likeliest first, until one knows this public token.

    Where the caller named the user, that stands even if no session is found (a token of
    `/sandbox/public_token/create` has none), but not against a session of someone else. Who is
    confined to one user exchanges what came of that user's own sessions, and nothing else: whose any
    other token is can't be known without looking at another's. Errors: `UserUnknownError`,
    `UnknownPublicTokenError` (also for a token of update mode); nothing was spent.
    """
    user_id, session_id = (named.user_id, named.session_id) if named else (None, None)
    with runtime.database.session() as session:
        links = LinkSession.newest_open(
            session,
            runtime.plaid.world,
            SESSIONS_ASKED_MAX,
            session_id=session_id,
            user_id=user_id,
            only_of=runtime.user_id,
        )
    for (link, user_name), result in _asked(runtime, links, public_token):
        if result and named and named.user_name != user_name:
            raise UnknownPublicTokenError
        if result and link.item_id:
            raise UpdateModeTokenError(link.item_id)
        if result:
            return Linker(user_name, link.user_id, link.id, result)
    if runtime.user_id is not None:
        raise UnknownPublicTokenError
    if named is None:
        raise UserUnknownError(
            f"None of the {len(links)} newest open Link sessions knows this public token. Repeat "
            "the call with the link_token or the user_id it was made for. Nothing was exchanged."
        )
    return named


def _asked(
    runtime: Runtime, links: Sequence[Row[LinkSession, str]], public_token: str
) -> Iterator[tuple[Row[LinkSession, str], ItemAddResult | None]]:
    """Give each session with what it tells of the token: the first alone, the others some at a time."""
    ask = partial(_result, runtime, public_token)
    starts = [0, *range(1, len(links), SESSIONS_ASKED_AT_ONCE)]
    with ThreadPoolExecutor(SESSIONS_ASKED_AT_ONCE, "ask-session") as pool:
        for start, end in pairwise([*starts, len(links)]):
            yield from zip(links[start:end], pool.map(ask, links[start:end]), strict=True)


def _result(
    runtime: Runtime, public_token: str, row: Row[LinkSession, str]
) -> ItemAddResult | None:
    """Return what a link token's sessions tell of this public token; None if they don't."""
    told = ask(runtime, row[0])
    results = told.item_add_results() if told else []
    return next((added for added in results if added.public_token == public_token), None)


def ask(runtime: Runtime, link: LinkSession) -> LinkTokenInfo | None:
    """Ask Plaid what came of a link token; None where it has forgotten that."""
    link_token = runtime.keyring.open(link.link_token_sealed or "", str(link.user_id))
    try:
        return runtime.plaid.link_token_get(link_token)
    except PlaidRefusedError as error:
        if error.error_code != "INVALID_LINK_TOKEN":
            raise
        return None


def find_duplicate(session: Session, linker: Linker) -> str | None:
    """Return the Item in which this person has linked one of the accounts already, or None.

    Plaid's advice: compare institution, name and mask before the exchange
    (plaid.com/docs/link/duplicate-items).
    """
    institution = linker.result.institution if linker.result else None
    if linker.result is None or linker.user_id is None or institution is None:
        return None
    stored = Account.names_and_masks(
        session, linker.user_id, institution.institution_id or "", except_in=GONE
    )
    linked = {(account.name, account.mask) for account in linker.result.accounts}
    return next((item_id for item_id, name, mask in stored if (name, mask) in linked), None)

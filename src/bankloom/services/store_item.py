"""Stores an Item that was just linked: its sealed token, what Link told of it, its product tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core.errors import UnknownPublicTokenError
from bankloom.models import Account, Institution, Item, ItemProduct, LinkSession, ProductState
from bankloom.services import request_run
from bankloom.services.plaid_client import DAYS_REQUESTED
from bankloom.services.sync_accounts import link_account_values
from bankloom.services.webhooks import actions as webhook_actions

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.services.plaid_messages import ItemAddResult, TokenExchanged
    from bankloom.services.runtime import Runtime


def put_item(runtime: Runtime, session: Session, user_id: uuid.UUID, told: TokenExchanged) -> None:
    """Insert the Item, or give the one we hold the access token that Plaid answered this time."""
    sealed = runtime.keyring.seal(told.access_token, told.item_id)
    token_hash = runtime.keyring.hash(told.access_token)
    item = Item.lock(session, told.item_id)
    if item is None and Item.is_held(session, told.item_id):
        raise UnknownPublicTokenError  # of another user than this session is confined to
    if item is None:
        session.add(
            Item(
                item_id=told.item_id,
                user_id=user_id,
                access_token_sealed=sealed,
                access_token_hash=token_hash,
                **runtime.plaid.world._asdict(),
            )
        )
        session.flush()
        webhook_actions.replay_waiting(session, told.item_id)
    elif item.user_id != user_id:
        raise UnknownPublicTokenError
    elif item.access_token_hash != token_hash:
        # A unique column: to change it waits for all who refer to the Item, as adding a tag does.
        ItemProduct.lock(session, told.item_id)
        item.access_token_sealed, item.access_token_hash = sealed, token_hash
        item.token_generation += 1
        item.token_asked_at = None
        # What the old token failed for is no word about this one.
        ItemProduct.start_over(session, told.item_id, [ProductState.NEEDS_YOU])


def put_what_link_told(session: Session, item_id: str, result: ItemAddResult) -> None:
    """Store the names that Link gave, so that they are there before the first run."""
    Account.put_stubs(session, item_id, [link_account_values(named) for named in result.accounts])
    told = result.institution
    if told and told.institution_id:
        Institution.note_name(session, told.institution_id, told.name or told.institution_id)
        session.get_one(Item, item_id).institution_id = told.institution_id


def note_history_asked(session: Session, item_id: str, link_session_id: uuid.UUID | None) -> None:
    """Note how many days of history our link token asked for, if it was ours and for transactions."""
    link = _link_of(session, link_session_id)
    if link and "transactions" in link.products:
        session.get_one(Item, item_id).days_requested = DAYS_REQUESTED


def products_of(
    session: Session, asked: Sequence[str], link_session_id: uuid.UUID | None
) -> Sequence[str]:
    """Return what an exchange is for, each once: what was asked, and all of a hosted session's."""
    link = _link_of(session, link_session_id)
    return list(dict.fromkeys([*(link.products if link and link.hosted else ()), *asked]))


def add_tag(
    session: Session, item_id: str, product: str, link_session_id: uuid.UUID | None
) -> bool:
    """Add the product's tag, and say whether it is new.

    A product that the session did not ask for still needs consent.
    """
    link = _link_of(session, link_session_id)
    consented = link is None or product in link.products
    state = ProductState.REQUESTED if consented else ProductState.CONSENT_NEEDED
    is_new = ItemProduct.add(session, item_id, product, state, None)
    if is_new and consented:
        request_run.request(session, item_id, "exchange")
    return is_new


def _link_of(session: Session, link_session_id: uuid.UUID | None) -> LinkSession | None:
    """Return the Link session that it came of, where that is known."""
    return session.get(LinkSession, link_session_id) if link_session_id else None

"""Opens Link: one link token for every product asked for, in the way that loses fewest banks."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bankloom.core import clock
from bankloom.core.errors import BankloomError, InvalidProductsError
from bankloom.models import LinkPurpose, LinkSession, User
from bankloom.services import audit
from bankloom.services.plaid_client import DAYS_REQUESTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.plaid_messages import LinkTokenCreated
    from bankloom.services.runtime import Runtime

LINKABLE_PRODUCTS = ("transactions", "investments", "liabilities", "auth", "identity")
"""In the order of how many institutions have them: the first one asked for decides who is shown."""

DEFAULT_PRODUCTS = ("transactions",)

FIRST_LOOK = timedelta(seconds=5)
"""When a session that nobody may call us back for is first asked about: nobody is through sooner."""


class OpenedLink(NamedTuple):
    """A link token for the app, and our own id of its session; a URL only where Plaid hosts it."""

    link_token: str
    expiration: datetime
    hosted_link_url: str | None
    link_session_id: uuid.UUID


def check_products(products: Sequence[str]) -> None:
    """Refuse what Link can't be opened for. Errors: `InvalidProductsError`, naming what it can."""
    unknown = [product for product in products if product not in LINKABLE_PRODUCTS]
    if unknown or not products or len(set(products)) != len(products):
        problem = (
            f"Not linkable: {', '.join(repr(product) for product in unknown)}."
            if unknown
            else "Ask for at least one product, and for each only once."
        )
        raise InvalidProductsError(
            f"{problem} The products are {', '.join(LINKABLE_PRODUCTS)}.",
            valid_products=list(LINKABLE_PRODUCTS),
        )


def create_link_token(
    runtime: Runtime, user_name: str, products: Sequence[str], *, hosted: bool = False
) -> OpenedLink:
    """Make a link token that covers the products, and record its session.

    Only the most widely supported product goes into Plaid's `products`, which hides every
    institution that lacks one of them; the others are consented to, and billed on first use
    (plaid.com/docs/link/initializing-products). `hosted`: Plaid shows Link at a URL of its own,
    and what comes of it is exchanged by us. Errors: `InvalidProductsError`; the client's.
    """
    check_products(products)
    wanted = _wanted(products) | {"webhook": runtime.settings.webhook_url}
    with runtime.database.session() as session:
        user_id = User.get_or_create(session, user_name).id
    try:
        created = runtime.plaid.link_token_create(str(user_id), wanted, hosted=hosted)
    except BankloomError:
        if runtime.user_id is None:  # whom a key reaches has that key
            with runtime.database.session() as session:
                User.forget_if_unused(session, user_id)
        raise
    with runtime.database.session() as session:
        # Again: while Plaid was asked, a refused exchange may have forgotten the user.
        user_id = User.get_or_create(session, user_name).id
        how = {"products": list(products), "hosted": hosted}
        return record(runtime, session, created, user_id, **how)


def _wanted(products: Sequence[str]) -> dict[str, Any]:
    first, *others = sorted(products, key=LINKABLE_PRODUCTS.index)
    has_history = first == "transactions"
    return {
        "products": [first],
        "additional_consented_products": others or None,
        "transactions": {"days_requested": DAYS_REQUESTED} if has_history else None,
    }


def record(
    runtime: Runtime, session: Session, created: LinkTokenCreated, user_id: uuid.UUID, **how: Any
) -> OpenedLink:
    """Record the session of a new link token; `how` are columns that say what it is for."""
    at = clock.now()
    LinkSession.wipe_old(session, at)
    token = created.link_token
    link = LinkSession(
        id=uuid.uuid4(),
        user_id=user_id,
        world=str(runtime.plaid.world),
        link_token_sealed=runtime.keyring.seal(token, str(user_id)),
        link_token_hash=runtime.keyring.hash(token),
        expires_at=created.expiration,
        **how,
    )
    if link.is_finished_by_us:
        link.poll_at = at + FIRST_LOOK
    session.add(link)
    audit.note(
        runtime,
        session,
        audit.Action.LINK_TOKEN_CREATED,
        item_id=link.item_id,
        user_id=user_id,
        purpose=link.purpose or LinkPurpose.LINK,
        products=link.products,
        link_session_id=link.id,
    )
    return OpenedLink(token, created.expiration, created.hosted_link_url, link.id)

"""Takes note that a person went through update mode: the Item is looked at anew, and exchanged nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import NotFoundError
from bankloom.models import Item, ItemProduct, LinkPurpose, LinkSession, ProductState
from bankloom.services import request_run
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

TRIGGER = "repair"


def by_plaid(runtime: Runtime, link: LinkSession) -> None:
    """Take Plaid's word that the person got through this update mode; once, however often it is given."""
    with runtime.database.session() as session:
        item = Item.lock(session, link.item_id or "")
        if LinkSession.finish(session, link.id, clock.now()) and item is not None:
            _look_anew(session, item, link)


def by_caller(runtime: Runtime, item_id: str, link_session_id: uuid.UUID | None) -> uuid.UUID:
    """Take the app's word for it, of the session named or the newest open one; return the run.

    It is asked for even where the word is old news, or of an update mode that was opened elsewhere:
    what the run finds is the truth. Errors: `NotFoundError`, `WorldMismatchError`.
    """
    with runtime.database.session() as session:
        item = Item.lock(session, item_id)
        if item is None:
            raise NotFoundError
        refuse_other_world(item.world, runtime.plaid.world)
        link = LinkSession.newest_update(session, item_id, link_session_id)
        if link_session_id and link is None:
            raise NotFoundError("There is no update-mode session of that id for this Item.")
        if link:
            LinkSession.finish(session, link.id, clock.now())
        return _look_anew(session, item, link)


def _look_anew(session: Session, item: Item, link: LinkSession | None) -> uuid.UUID:
    """Forget what update mode has mended, and ask for the run that proves it."""
    item.repaired_at = clock.now()
    if link:  # of an update mode opened elsewhere only the run can tell what it mended
        item.disconnect_at = item.disconnect_reason = None
    if link and link.purpose == LinkPurpose.ACCOUNTS:
        item.new_accounts_at = None
    if link and link.purpose == LinkPurpose.PRODUCTS:
        _consent(session, item.item_id, link.products)
    return request_run.request(session, item.item_id, TRIGGER, asks_item=True)


def _consent(session: Session, item_id: str, products: Sequence[str]) -> None:
    """Let the products be tried: those without a tag get one, those in want of consent are requested."""
    for product in products:
        ItemProduct.add(session, item_id, product, ProductState.REQUESTED, None)
    nothing_wrong = {"failures": 0, "error_code": None, "error_message": None, "request_id": None}
    for tag in ItemProduct.of_item(session, item_id):
        if tag.product in products and tag.state == ProductState.CONSENT_NEEDED:
            ItemProduct.note(session, tag, state=ProductState.REQUESTED, **nothing_wrong)

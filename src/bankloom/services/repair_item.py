"""Takes note that a person went through update mode: the Item is looked at anew, and exchanged nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.core.errors import BankloomError, NotFoundError
from bankloom.models import Item, ItemProduct, LinkPurpose, LinkSession, ProductState
from bankloom.models.item_product import FOR_A_PERSON
from bankloom.services import audit, request_run
from bankloom.services.find_linker import ask
from bankloom.services.runtime import refuse_other_world

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

TRIGGER = "repair"

log = logging.getLogger(__name__)


def by_plaid(runtime: Runtime, link: LinkSession) -> None:
    """Take Plaid's word that the person got through this update mode; once, however often it is given."""
    with runtime.database.session() as session:
        item = Item.lock(session, link.item_id or "")
        if LinkSession.finish(session, link.id, clock.now()) and item is not None:
            _look_anew(runtime, session, item, link)


def by_caller(runtime: Runtime, item_id: str, link_session_id: uuid.UUID | None) -> uuid.UUID:
    """Take the app's word for it, of the session named or the newest open one; return the run.

    It is asked for even where the word is old news, of an update mode that was opened elsewhere, or
    too early: what the run finds is the truth. But only Plaid's own word ends a session and takes
    back what was announced, so where it has none yet the session is polled on. Errors:
    `NotFoundError`, `WorldMismatchError`.
    """
    with runtime.database.session() as session:
        item = Item.find(session, item_id)
        if item is None:
            raise NotFoundError
        refuse_other_world(item.world, runtime.plaid.world)
        link = LinkSession.newest_update(session, item_id, link_session_id)
        if link_session_id and link is None:
            raise NotFoundError("There is no update-mode session of that id for this Item.")
    got_through = link is None or _got_through(runtime, link)
    with runtime.database.session() as session:
        item = Item.lock(session, item_id)
        if item is None:
            raise NotFoundError
        if not got_through:
            return _request(runtime, session, item, believed=False)
        if link:
            LinkSession.finish(session, link.id, clock.now())
        return _look_anew(runtime, session, item, link)


def _got_through(runtime: Runtime, link: LinkSession) -> bool:
    """Say whether Plaid says so too; where it does not answer, the polling will hear of it."""
    if link.finished_at:
        return True
    try:
        told = ask(runtime, link)
    except BankloomError as error:
        log.warning("Link session %s is not known to be finished: %s", link.id, error.message)
        return False
    return told is not None and told.got_through


def _request(runtime: Runtime, session: Session, item: Item, *, believed: bool) -> uuid.UUID:
    """Ask for the run that proves it; a person is there, so it tries what only a person's would."""
    ItemProduct.start_over(session, item.item_id, [ProductState.NEEDS_YOU])
    run_id = request_run.request(session, item.item_id, TRIGGER, asks_item=True)
    audit.note(
        runtime,
        session,
        audit.Action.ITEM_REPAIRED,
        item_id=item.item_id,
        user_id=item.user_id,
        believed=believed,
        run_id=run_id,
    )
    return run_id


def _look_anew(
    runtime: Runtime, session: Session, item: Item, link: LinkSession | None
) -> uuid.UUID:
    """Forget what update mode has mended, and ask for the run that proves it."""
    item.repaired_at = clock.now()
    if link:  # of an update mode opened elsewhere only the run can tell what it mended
        item.disconnect_at = item.disconnect_reason = None
    if link and link.purpose == LinkPurpose.ACCOUNTS:
        item.new_accounts_at = None
    if link and link.purpose == LinkPurpose.PRODUCTS:
        _consent(session, item.item_id, link.products)
    return _request(runtime, session, item, believed=True)


def _consent(session: Session, item_id: str, products: Sequence[str]) -> None:
    """Let the products be tried: those without a tag get one, the others start over."""
    for product in products:
        ItemProduct.add(session, item_id, product, ProductState.REQUESTED, None)
    ItemProduct.start_over(session, item_id, FOR_A_PERSON, only=products)

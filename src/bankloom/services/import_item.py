"""Takes over an Item that was linked elsewhere: proves its access token, stores it, asks for a run."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple, Self

from bankloom.core.errors import InvalidRequestError, UnknownPublicTokenError
from bankloom.models import Item, ItemProduct, ProductState, User
from bankloom.services import audit, request_run
from bankloom.services.api_access import EVERYONE
from bankloom.services.open_link import check_products
from bankloom.services.plaid_messages import TokenExchanged
from bankloom.services.store_item import put_item

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

IMPORT = "import"
"""The trigger of the first run of an Item that was imported."""

USER_NAME_MAX = 512
_ACCESS_TOKEN = re.compile(r"access-([a-z]+)-[0-9A-Za-z-]+")
_FIELDS = 3


class Imported(enum.StrEnum):
    """What an import has changed."""

    NEW = "imported"
    CHANGED = "changed"
    UNCHANGED = "held already"


class Wanted(NamedTuple):
    """One Item to import. Its texts hold a secret: they stand in no message."""

    access_token: str
    user_name: str
    products: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read `ACCESS_TOKEN USER PRODUCT,PRODUCT`. Errors: `InvalidRequestError`."""
        fields = line.split()
        if len(fields) != _FIELDS:
            raise InvalidRequestError(
                f"It has {len(fields)} fields, not three: access token, user, products."
            )
        access_token, user_name, products = fields
        if not _ACCESS_TOKEN.fullmatch(access_token):
            raise InvalidRequestError("Its first field is not an access token of Plaid's.")
        if not _may_be_a_user(user_name):
            raise InvalidRequestError("Its second field can't be the name of a user.")
        return cls(access_token, user_name, tuple(products.split(",")))


def _may_be_a_user(name: str) -> bool:
    is_token = _ACCESS_TOKEN.fullmatch(name) is not None
    return name != EVERYONE and not is_token and name.isprintable() and len(name) <= USER_NAME_MAX


def now(runtime: Runtime, wanted: Wanted) -> tuple[str, Imported]:
    """Import an Item; return its id and what was changed. Safe to repeat.

    An Item that we hold gets the tags that it lacks, and this access token if it is another one.
    The run that is asked for describes it and registers our webhook. Errors: `InvalidRequestError`,
    `InvalidProductsError`, what the client raises; nothing was changed then.
    """
    check_products(wanted.products)
    _refuse_other_environment(runtime, wanted.access_token)
    item_id = runtime.plaid.item_get(wanted.access_token).item.item_id
    with runtime.database.session() as session:
        what = _put(runtime, session, wanted, item_id)
        if what is not Imported.UNCHANGED:
            request_run.request(session, item_id, IMPORT, asks_item=True)
            user_id = session.get_one(Item, item_id).user_id
            noted = {"what": what, "products": wanted.products}
            audit.note(
                runtime,
                session,
                audit.Action.ITEM_IMPORTED,
                item_id=item_id,
                user_id=user_id,
                **noted,
            )
    return item_id, what


def _refuse_other_environment(runtime: Runtime, access_token: str) -> None:
    """Refuse before anything is sent: a token of one environment is no other one's business."""
    shape = _ACCESS_TOKEN.fullmatch(access_token)
    environment, ours = shape[1] if shape else "", runtime.plaid.world.environment
    if environment != ours:
        raise InvalidRequestError(
            f"It is an access token of Plaid's {environment}, but PLAID_ENV is {ours}. It was not "
            "sent anywhere."
        )


def _put(runtime: Runtime, session: Session, wanted: Wanted, item_id: str) -> Imported:
    user_id = User.get_or_create(session, wanted.user_name).id
    before = Item.lock(session, item_id)  # before it is read: the next lock reads nothing anew
    generation = before.token_generation if before else None
    told = TokenExchanged(wanted.access_token, item_id)
    try:
        put_item(runtime, session, user_id, told)
    except UnknownPublicTokenError:
        raise InvalidRequestError("This Item is held already, and is another user's.") from None
    added = [
        ItemProduct.add(session, item_id, product, ProductState.REQUESTED, None)
        for product in wanted.products
    ]
    if before is None:
        return Imported.NEW
    changed = any(added) or before.token_generation != generation
    return Imported.CHANGED if changed else Imported.UNCHANGED

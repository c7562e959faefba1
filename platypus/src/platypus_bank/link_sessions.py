"""A person's way through Link, from a link token to a public token."""

from typing import Any

from platypus_bank.endpoints.link import live_link_token
from platypus_bank.errors import ItemNotFound
from platypus_bank.opening import (
    Login,
    Terms,
    issue_public_token,
    open_item,
    select,
)
from platypus_bank.records import Account, Item, LinkSession, LinkToken, PublicToken
from platypus_bank.seeds.institutions import institution
from platypus_bank.seeds.people import check_password
from platypus_bank.world import World


def finish(world: World, link_token: str, login: Login) -> LinkSession:
    """Go through Link to the end: a new Item, or in update mode the old one, repaired.

    Raises InvalidLinkToken, what `open_item` raises, and ItemNotFound for a removed Item.
    """
    token = live_link_token(world, link_token)
    if token.owner:
        public, item = _repair(world, token, login)
    else:
        item = open_item(world, login, _terms(token))
        public = issue_public_token(world, item)
    now = world.clock.now()
    session = LinkSession(
        id=world.ids.uuid(),
        owner=token.id,
        started_at=now,
        finished_at=now,
        result=_item_add_result(world, item, public),
    )
    world.store.put(session)
    return session


def _terms(token: LinkToken) -> Terms:
    given = token.request
    return Terms(
        products=given["products"] or [],
        required_if_supported_products=given["required_if_supported_products"] or [],
        optional_products=given["optional_products"] or [],
        additional_consented_products=given["additional_consented_products"] or [],
        days_requested=given["transactions"]["days_requested"],
        webhook=given["webhook"],
        account_filters=given["account_filters"],
    )


def _repair(world: World, token: LinkToken, login: Login) -> tuple[PublicToken, Item]:
    item = world.store.get(Item, token.owner)
    if item is None or item.removed:
        raise ItemNotFound
    check_password(login.username, login.password)
    item.error_code = None
    supported = set(institution(item.institution_id).products)
    more = set(token.request["additional_consented_products"] or ()) & supported
    item.consented = sorted({*item.consented, *more})
    if token.request["update"]["account_selection_enabled"] and login.accounts is not None:
        accounts = world.store.of(Account, item.id)
        select(accounts, login.accounts)
        for account in accounts:
            world.store.put(account)
    world.store.put(item)
    return issue_public_token(world, item, update_mode=True), item


def _item_add_result(world: World, item: Item, public: PublicToken) -> dict[str, Any]:
    bank = institution(item.institution_id)
    accounts = [each for each in world.store.of(Account, item.id) if each.open]
    return {
        "public_token": public.id,
        "accounts": [_account_metadata(each) for each in accounts],
        "institution": {"name": bank.name, "institution_id": bank.institution_id},
    }


def _account_metadata(account: Account) -> dict[str, Any]:
    body = account.body
    shown = {name: body.get(name) for name in ("name", "mask", "type", "subtype")}
    return {"id": account.id, **shown, "verification_status": None, "class_type": None}

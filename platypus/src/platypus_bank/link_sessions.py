"""A person's way through Link: from a link token to public tokens, or out again without one."""

from typing import Any

from msgspec import Struct

from platypus_bank import ids, link_events
from platypus_bank.access import start_product
from platypus_bank.endpoints.link import is_hosted, is_multi_item, live_link_token
from platypus_bank.errors import ItemNotFound
from platypus_bank.forced_error import ForcedError
from platypus_bank.health import mend
from platypus_bank.institution_status import check_up
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
from platypus_bank.webhooks import outbox
from platypus_bank.webhooks.bodies import link_webhook
from platypus_bank.world import World


class Departure(Struct, kw_only=True):
    """How a person leaves Link: `status` is how far they came, `error_code` what drove them out."""

    status: str = "requires_credentials"
    institution_id: str | None = None
    error_code: str | None = None


def add(world: World, link_token: str, login: Login, *, finish: bool) -> LinkSession:
    """Log in at one bank: a new Item, or in update mode the old one, repaired.

    With `finish` the session ends; without, a multi-Item one waits for the next bank. Raises
    InvalidLinkToken and what `bring` raises.
    """
    token = live_link_token(world, link_token)
    result = bring(world, token, login)
    session = _open_session(world, token)
    keep(world, token, session, result)
    if is_hosted(token):
        link_events.note_success(world, session, result["institution"])
    if finish or not is_multi_item(token):
        end(world, token, session)
    return session


def bring(world: World, token: LinkToken, login: Login) -> dict[str, Any]:
    """Make the Item of one login, or repair the old one; returns its item_add_result.

    Raises what `open_item` raises, and ItemNotFound for a removed Item.
    """
    if token.owner:
        public, item = _repair(world, token, login)
    else:
        item = open_item(world, login, _terms(token))
        public = issue_public_token(world, item)
    return _item_add_result(world, item, public)


def keep(world: World, token: LinkToken, session: LinkSession, result: dict[str, Any]) -> None:
    """Add to a session what one login brought; a webhook tells of a new Item."""
    session.results.append(result)
    if not token.owner:
        _tell(world, token, session, "ITEM_ADD_RESULT", public_token=result["public_token"])
    world.store.put(session)


def leave(world: World, link_token: str, departure: Departure) -> LinkSession:
    """Leave Link; with Items added before, in a multi-Item session, that is a success.

    Raises InvalidLinkToken, and InvalidInstitution for one nobody has.
    """
    token = live_link_token(world, link_token)
    session = _open_session(world, token)
    if not session.results:
        session.exit = _exit(session, departure)
        if is_hosted(token):
            link_events.note_exit(world, session, session.exit)
    end(world, token, session)
    return session


def _open_session(world: World, token: LinkToken) -> LinkSession:
    for session in world.store.of(LinkSession, token.id):
        if session.finished_at is None:
            return session
    return LinkSession(id=world.ids.uuid(), owner=token.id, started_at=world.clock.now())


def end(world: World, token: LinkToken, session: LinkSession) -> None:
    """End a session: its webhooks tell of the events and of what came out."""
    session.finished_at = world.clock.now()
    if is_hosted(token):
        _tell(world, token, session, "EVENTS", events=session.events)
    public_tokens = [each["public_token"] for each in session.results]
    status = "SUCCESS" if public_tokens else "EXITED"
    _tell(world, token, session, "SESSION_FINISHED", status=status, public_tokens=public_tokens)
    world.store.put(session)


def _tell(
    world: World,
    token: LinkToken,
    session: LinkSession,
    code: str,
    **fields: Any,
) -> None:
    item = world.store.get(Item, token.owner) if token.owner else None
    url = token.request["webhook"] or (item.webhook if item else None)
    if url is not None and (is_hosted(token) or is_multi_item(token)):
        outbox.post(world, url, link_webhook(code, token.id, session.id, **fields))


def _exit(session: LinkSession, departure: Departure) -> dict[str, Any]:
    error = None if departure.error_code is None else ForcedError(departure.error_code).body()
    bank = None if departure.institution_id is None else institution(departure.institution_id)
    return {
        "error": error,
        "metadata": {
            "institution": bank and bank.named(),
            "status": departure.status,
            "link_session_id": session.id,
            "request_id": ids.request_id(),
        },
    }


def _terms(token: LinkToken) -> Terms:
    given = token.request
    return Terms(
        products=given["products"] or [],
        required_if_supported_products=given["required_if_supported_products"] or [],
        optional_products=given["optional_products"] or [],
        additional_consented_products=given["additional_consented_products"] or [],
        days_requested=given["transactions"]["days_requested"],
        statement_dates=_statement_dates(token),
        webhook=given["webhook"],
        account_filters=given["account_filters"],
    )


def _statement_dates(token: LinkToken) -> tuple[str, str] | None:
    dates = token.request["statements"]
    return dates and (dates["start_date"], dates["end_date"])


def _repair(world: World, token: LinkToken, login: Login) -> tuple[PublicToken, Item]:
    item = world.store.get(Item, token.owner)
    if item is None or item.removed:
        raise ItemNotFound
    check_up(world, item.institution_id)
    check_password(login.username, login.password)
    mend(world, item)
    supported = set(institution(item.institution_id).products)
    more = set(token.request["additional_consented_products"] or ()) & supported
    added = (set(token.request["products"] or ()) & supported) - set(item.products)
    item.consented = sorted({*item.consented, *more, *added})
    item.statement_dates = _statement_dates(token) or item.statement_dates
    for product in sorted(added):
        start_product(world, item, product)
    if token.request["update"]["account_selection_enabled"] and login.accounts is not None:
        accounts = world.store.of(Account, item.id)
        select(accounts, login.accounts)
        for account in accounts:
            world.store.put(account)
        item.told_status = "NOT_READY"  # the pull begins anew, and is told anew
    world.store.put(item)
    return issue_public_token(world, item, update_mode=True), item


def _item_add_result(world: World, item: Item, public: PublicToken) -> dict[str, Any]:
    accounts = [each for each in world.store.of(Account, item.id) if each.open]
    return {
        "public_token": public.id,
        "accounts": [_account_metadata(each) for each in accounts],
        "institution": institution(item.institution_id).named(),
    }


def _account_metadata(account: Account) -> dict[str, Any]:
    body = account.body
    shown = {name: body.get(name) for name in ("name", "mask", "type", "subtype")}
    return {"id": account.id, **shown, "verification_status": None, "class_type": None}

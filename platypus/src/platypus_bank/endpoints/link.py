"""/link/token/*: make a link token, and read what became of it (https://plaid.com/docs/api/link/)."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from platypus_bank.access import item_of
from platypus_bank.clock import iso
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.link_requests import LinkTokenCreate, LinkTokenGet
from platypus_bank.errors import (
    InvalidField,
    InvalidLinkToken,
    MissingFields,
    UserPermissionRevoked,
)
from platypus_bank.products import check_products
from platypus_bank.records import LinkSession, LinkToken
from platypus_bank.statements import check_dates
from platypus_bank.users import check_user
from platypus_bank.world import World

LINK_SECONDS = 4 * 3600
UPDATE_MODE_SECONDS = 30 * 60
HOSTED_SECONDS = 30 * 60
HOSTED_PATH = "/hl/"
SESSION_KEPT_SECONDS = 6 * 3600
_UPDATE_MODE_PRODUCTS = {"assets", "statements", "income", "income_verification"}
_OTHER_RESULTS = (
    "bank_income_results",
    "cra_item_add_results",
    "cra_update_results",
    "payroll_income_results",
)
_PREFIX = "link-sandbox-"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# An international number with its plus, or a North American one with separators. Bare digits
# are left alone: they may well be a database key.
_PHONE = re.compile(r"\+\d[\d ().-]{6,18}\d|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}")


def link_token_create(world: World, request: LinkTokenCreate) -> dict[str, Any]:
    """Make a link token: 4 hours for a new Item, 30 minutes for update mode and Hosted Link.

    Raises MissingFields, InvalidField, InvalidProduct, and for update mode what `item_of` raises and
    UserPermissionRevoked where it cannot restore the Item.
    """
    _check_user(request)
    _check_redirect_uri(request.redirect_uri, world.charter.settings.redirect_uris)
    _check_products(request)
    item_id = _item_to_update(world, request.access_token) if request.access_token else ""
    now = world.clock.now()
    token = LinkToken(
        id=world.ids.token("link"),
        owner=item_id,
        created_at=now,
        expires_at=now + _lifetime_seconds(request),
        request=_remembered(request),
    )
    world.store.put(token)
    answer = {"link_token": token.id, "expiration": iso(token.expires_at)}
    if is_hosted(token):
        answer["hosted_link_url"] = world.address + HOSTED_PATH + token.id.removeprefix(_PREFIX)
    return answer


def _item_to_update(world: World, access_token: str) -> str:
    item = item_of(world, access_token)
    if not item.relinkable:
        raise UserPermissionRevoked
    return item.id


def _lifetime_seconds(request: LinkTokenCreate) -> int:
    if request.hosted_link is not None:
        return request.hosted_link.url_lifetime_seconds or HOSTED_SECONDS
    return UPDATE_MODE_SECONDS if request.access_token else LINK_SECONDS


def _check_user(request: LinkTokenCreate) -> None:
    check_user(request.user_id, request.user_token)
    if request.user is None and request.user_id is None:
        raise MissingFields(["user"])
    name = "" if request.user is None else request.user.client_user_id
    if _EMAIL.fullmatch(name) or _PHONE.fullmatch(name):
        raise InvalidField(
            "user.client_user_id must not contain personally identifiable information, "
            "such as an email address or phone number"
        )


def _check_redirect_uri(uri: str | None, allowed: list[str] | None) -> None:
    if uri is None:
        return
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidField("redirect_uri must be a valid http or https URI")
    if parts.query or parts.fragment:
        raise InvalidField("redirect_uri must not contain a query string")
    if allowed is not None and uri not in allowed:
        raise InvalidField("OAuth redirect URI must be configured in the developer dashboard")


def _check_products(request: LinkTokenCreate) -> None:
    arrays = [
        request.products or [],
        request.required_if_supported_products or [],
        request.optional_products or [],
        request.additional_consented_products or [],
    ]
    everything = [product for array in arrays for product in array]
    check_products(everything)
    check_dates(everything, request.statements)
    twice = sorted({each for each in everything if everything.count(each) > 1})
    if twice:
        raise InvalidField(f"products must not be in more than one array: {', '.join(twice)}")
    if request.access_token:
        _check_update_mode(request)
    elif not request.products:
        raise MissingFields(["products"])


def _check_update_mode(request: LinkTokenCreate) -> None:
    if set(request.products or ()) - _UPDATE_MODE_PRODUCTS:
        raise InvalidField("products must not be set in update mode (when access_token is set)")
    if request.account_filters is not None and not request.update.account_selection_enabled:
        raise InvalidField(
            "account_filters can only be set in update mode with update.account_selection_enabled"
        )


def _remembered(request: LinkTokenCreate) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(request)
    forgotten = ("client_id", "secret", "access_token", "access_tokens", "user", "user_token")
    return {name: value for name, value in fields.items() if name not in forgotten}


def live_link_token(world: World, text: str) -> LinkToken:
    """Return a link token that Link would open; raises InvalidLinkToken.

    It can be used again until it expires, as in the Sandbox.
    """
    token = world.store.get(LinkToken, text)
    if token is None or world.clock.now() >= token.expires_at:
        raise InvalidLinkToken
    return token


def hosted_link_token(world: World, name: str) -> LinkToken:
    """Return the live link token of a hosted Link URL; raises InvalidLinkToken."""
    token = live_link_token(world, _PREFIX + name)
    if not is_hosted(token):
        raise InvalidLinkToken
    return token


def is_hosted(token: LinkToken) -> bool:
    """Tell whether Plaid hosts the session (https://plaid.com/docs/link/hosted-link/)."""
    return token.request["hosted_link"] is not None


def is_multi_item(token: LinkToken) -> bool:
    """Tell whether a session may add several Items (https://plaid.com/docs/link/multi-item-link/)."""
    return bool(token.request["enable_multi_item_link"])


def link_token_get(world: World, request: LinkTokenGet) -> dict[str, Any]:
    """Return what the token was made with, and its sessions; ended ones for another 6 hours."""
    token = world.store.get(LinkToken, request.link_token)
    if token is None:
        raise InvalidLinkToken
    since = world.clock.now() - SESSION_KEPT_SECONDS
    sessions = [
        each
        for each in world.store.of(LinkSession, token.id)
        if each.finished_at is None or each.finished_at > since
    ]
    return {
        "link_token": token.id,
        "created_at": iso(token.created_at),
        "expiration": iso(token.expires_at),
        "link_sessions": [_session_body(each) for each in sessions],
        "metadata": _metadata(token),
    }


def _session_body(session: LinkSession) -> dict[str, Any]:
    results: dict[str, Any] = {name: [] for name in _OTHER_RESULTS}
    results |= {"item_add_results": session.results, "document_income_results": None}
    body = {
        "link_session_id": session.id,
        "started_at": iso(session.started_at),
        "finished_at": iso(session.finished_at),
        "events": session.events,
        "results": results,
    }
    return body if session.exit is None else body | {"exit": session.exit}


def _metadata(token: LinkToken) -> dict[str, Any]:
    given = token.request
    metadata = {
        name: given[name]
        for name in ("client_name", "country_codes", "language", "redirect_uri", "webhook")
    }
    metadata["initial_products"] = given["products"] or []
    for name in ("account_filters", "institution_data"):
        if given[name] is not None:
            metadata[name] = given[name]
    return metadata


TABLE: Table = {
    "/link/token/create": (LinkTokenCreate, link_token_create),
    "/link/token/get": (LinkTokenGet, link_token_get),
}

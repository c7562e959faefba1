"""/platypus/items/{id}/…: what befalls an Item's login and consent, told by webhook."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank import health
from platypus_bank.access import LASTING_ERRORS
from platypus_bank.control.door import Action, Knock, RefusedError
from platypus_bank.control.items import blank_account, shown
from platypus_bank.errors import ItemLoginRequired, UserPermissionRevoked
from platypus_bank.records import Account

NOTICE_SECONDS = 7 * 86_400  # Plaid tells of an end a week ahead
BREAKING = sorted(LASTING_ERRORS.keys() - {UserPermissionRevoked.code})  # that is `revoke`
Ahead = Annotated[float, Meta(ge=0, le=10 * 365 * 86_400)]


class Break(Struct, kw_only=True, forbid_unknown_fields=True):
    """With which lasting error, and why, where Plaid would say it (OAuth banks)."""

    error_code: str = ItemLoginRequired.code
    reason: Literal["OAUTH_INVALID_TOKEN", "OAUTH_CONSENT_EXPIRED", "OAUTH_USER_REVOKED"] | None = (
        None
    )


class Revoke(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of one account, else of the whole Item; whether update mode can still restore it."""

    account_id: str | None = None
    update_mode: bool = True


class Expire(Struct, kw_only=True, forbid_unknown_fields=True):
    """In how many seconds of the world's clock consent ends."""

    seconds: Ahead = NOTICE_SECONDS


class Disconnect(Struct, kw_only=True, forbid_unknown_fields=True):
    """In how many seconds of the world's clock the connection ends, and why."""

    seconds: Ahead = NOTICE_SECONDS
    reason: Literal["INSTITUTION_MIGRATION", "INSTITUTION_TOKEN_EXPIRATION"] = (
        "INSTITUTION_MIGRATION"
    )


class NewAccount(Struct, kw_only=True, forbid_unknown_fields=True):
    """The new account's fields, over a blank checking account."""

    account: dict[str, Any] = field(default_factory=dict)


def break_login(knock: Knock) -> dict[str, Any]:
    """Break the login: ITEM_LOGIN_REQUIRED or another lasting error, and ITEM/ERROR."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(Break)
    if wanted.error_code not in BREAKING:
        raise RefusedError(f"no error that lasts; there are {', '.join(BREAKING)}")
    health.break_login(world, item, wanted.reason, wanted.error_code)
    return shown(world, item)


def repair(knock: Knock) -> dict[str, Any]:
    """Repair the login outside update mode: ITEM/LOGIN_REPAIRED, if it was broken."""
    world, item = knock.service.world, knock.item()
    health.repair_elsewhere(world, item)
    return shown(world, item)


def revoke(knock: Knock) -> dict[str, Any]:
    """Revoke permission: ITEM/USER_PERMISSION_REVOKED, or ITEM/USER_ACCOUNT_REVOKED for one account."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(Revoke)
    if wanted.account_id is None:
        health.revoke(world, item, update_mode=wanted.update_mode)
        return shown(world, item)
    account = world.store.get(Account, wanted.account_id)
    if account is None or account.owner != item.id:
        raise RefusedError(f"the Item has no account {wanted.account_id}")
    health.revoke_account(world, item, account)
    return shown(world, item)


def expire(knock: Knock) -> dict[str, Any]:
    """Let consent end some time from now: ITEM/PENDING_EXPIRATION, then ITEM/ERROR."""
    world, item = knock.service.world, knock.item()
    health.expect_expiration(world, item, world.clock.now() + knock.read(Expire).seconds)
    return shown(world, item)


def disconnect(knock: Knock) -> dict[str, Any]:
    """Let the connection end some time from now: ITEM/PENDING_DISCONNECT, then ITEM/ERROR."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(Disconnect)
    at = world.clock.now() + wanted.seconds
    health.expect_disconnect(world, item, wanted.reason, at)
    return shown(world, item)


def new_account(knock: Knock) -> dict[str, Any]:
    """Open an account at the bank that is not shared yet: ITEM/NEW_ACCOUNTS_AVAILABLE."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(NewAccount)
    account_id = world.ids.take()
    body = blank_account(account_id) | wanted.account | {"account_id": account_id}
    health.show_new_account(world, item, Account(id=account_id, owner=item.id, body=body))
    return {"account": body}


ACTIONS: dict[tuple[str, str], Action] = {
    ("POST", "/items/{item_id}/break"): break_login,
    ("POST", "/items/{item_id}/repair"): repair,
    ("POST", "/items/{item_id}/revoke"): revoke,
    ("POST", "/items/{item_id}/expire"): expire,
    ("POST", "/items/{item_id}/disconnect"): disconnect,
    ("POST", "/items/{item_id}/new_account"): new_account,
}

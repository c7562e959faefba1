"""What befalls an Item's login and consent, and the webhook that tells it.

https://plaid.com/docs/api/items/#webhooks
"""

from typing import Any

from platypus_bank.access import error_of
from platypus_bank.clock import DAY_SECONDS
from platypus_bank.errors import ItemLoginRequired, UserPermissionRevoked
from platypus_bank.records import Account, Item
from platypus_bank.webhooks import bodies
from platypus_bank.webhooks.bodies import error_in_webhook, item_webhook
from platypus_bank.webhooks.outbox import fire
from platypus_bank.world import World

CONSENT_SECONDS = 90 * DAY_SECONDS  # what update mode renews an expiring consent for; ours


def login_ends_at(world: World, item: Item) -> float | None:
    """Return when the login breaks by itself: as announced, or when it is as old as they get."""
    days = world.charter.settings.login_days
    began = item.created_at if item.login_since is None else item.login_since
    ends = [item.breaks_at, None if days is None else began + days * DAY_SECONDS]
    return min((each for each in ends if each is not None), default=None)


def break_login(
    world: World, item: Item, reason: str | None = None, code: str = ItemLoginRequired.code
) -> None:
    """Let the login fail: data endpoints answer that error until it is repaired."""
    _fail(world, item, code, reason)
    fire(world, item, item_webhook(item, "ERROR", error=_told_error(item)))


def revoke(world: World, item: Item, *, update_mode: bool) -> None:
    """Take the person's permission back; `update_mode` tells whether update mode can restore it."""
    item.relinkable = update_mode
    _fail(world, item, UserPermissionRevoked.code, None)
    fire(world, item, item_webhook(item, "USER_PERMISSION_REVOKED", error=_told_error(item)))


def _fail(world: World, item: Item, code: str, reason: str | None) -> None:
    item.error_code, item.error_reason, item.failed_at = code, reason, world.clock.now()
    item.breaks_at, item.break_reason = None, None
    world.store.put(item)


def _told_error(item: Item) -> dict[str, Any] | None:
    error = error_of(item)
    return None if error is None else error_in_webhook(error, item.error_reason)


def revoke_account(world: World, item: Item, account: Account) -> None:
    """Take one account away; update mode with account selection can bring it back."""
    account.open = False
    world.store.put(account)
    fire(world, item, item_webhook(item, "USER_ACCOUNT_REVOKED", account_id=account.id))


def mend(world: World, item: Item) -> None:
    """Restore the login, as update mode does; an expiring consent is renewed. Tells nothing."""
    item.error_code, item.error_reason, item.relinkable = None, None, True
    item.breaks_at, item.break_reason = None, None
    item.login_since = world.clock.now()
    if item.consent_expires_at is not None:
        _expire_at(item, world.clock.now() + CONSENT_SECONDS)
    world.store.put(item)


def repair_elsewhere(world: World, item: Item) -> None:
    """Restore the login without our update mode, as when another app's fixed it."""
    was_broken = item.error_code == ItemLoginRequired.code
    mend(world, item)
    if was_broken:
        fire(world, item, item_webhook(item, "LOGIN_REPAIRED"))


def expect_expiration(world: World, item: Item, at: float) -> None:
    """Let consent end at an instant: the login breaks then."""
    _expire_at(item, at)
    world.store.put(item)
    fire(world, item, bodies.pending_expiration(item, at))


def _expire_at(item: Item, at: float) -> None:
    item.consent_expires_at = item.breaks_at = at
    item.break_reason = "OAUTH_CONSENT_EXPIRED"


def expect_disconnect(world: World, item: Item, reason: str, at: float) -> None:
    """Let the connection end at an instant: the login breaks then."""
    item.breaks_at, item.break_reason = at, None
    world.store.put(item)
    fire(world, item, bodies.pending_disconnect(item, reason, at))


def show_new_account(world: World, item: Item, account: Account) -> None:
    """Let a new account be seen that is not shared: update mode with account selection can."""
    account.open = False
    world.store.put(account)
    fire(world, item, item_webhook(item, "NEW_ACCOUNTS_AVAILABLE", error=None))

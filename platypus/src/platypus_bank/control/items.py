"""/platypus/items and /platypus/ledger: the bank's side of an Item."""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from platypus_bank import bulk, changes, hashes, history, scripts
from platypus_bank.clock import iso
from platypus_bank.control.door import Action, Knock, RefusedError
from platypus_bank.records import Account, Item, UpdateStatus
from platypus_bank.seeds import blueprint
from platypus_bank.world import World

MAX_BULK = 5_000_000


class AccountChanges(Struct, kw_only=True, forbid_unknown_fields=True):
    """Accounts to add or change, verbatim, and ids of accounts to close."""

    upsert: list[dict[str, Any]] = field(default_factory=list)
    close: list[str] = field(default_factory=list)


class Bulk(Struct, kw_only=True, forbid_unknown_fields=True):
    """How many transactions, from which day on."""

    count: Annotated[int, Meta(ge=1, le=MAX_BULK)]
    start_date: date | None = None


class Readiness(Struct, kw_only=True, forbid_unknown_fields=True):
    """The status to hold; None follows the clock again."""

    status: UpdateStatus | None


def list_items(knock: Knock) -> dict[str, Any]:
    """Return all Items, without tokens."""
    world = knock.service.world
    return {"items": [shown(world, each) for each in world.store.every(Item)]}


def shown(world: World, item: Item) -> dict[str, Any]:
    """Return an Item as the control API shows it."""
    return {
        "item_id": item.id,
        "institution_id": item.institution_id,
        "username": item.username,
        "created_at": iso(item.created_at),
        "webhook": item.webhook,
        "products": item.products,
        "consented_products": item.consented,
        "transactions_update_status": history.status(world, item),
        "error_code": item.error_code,
        "consent_expiration_time": iso(item.consent_expires_at),
        "breaks_at": iso(item.breaks_at),
        "removed": item.removed,
    }


def change(knock: Knock) -> dict[str, Any]:
    """Make one update at the bank and return its ids."""
    world, item = knock.service.world, knock.item()
    history.settle(world, item)
    try:
        return dict(changes.apply(world, item, knock.read(changes.Changes)))
    except (changes.UnknownTransactionError, changes.UnusableError) as problem:
        raise RefusedError(str(problem)) from problem


def script(knock: Knock) -> dict[str, Any]:
    """Dictate the pages of the next sync loop and return them as they will be sent."""
    world, item = knock.service.world, knock.item()
    history.settle(world, item)
    try:
        return {"pages": scripts.write_script(world, item, knock.read(scripts.ScriptRequest))}
    except changes.UnusableError as problem:
        raise RefusedError(str(problem)) from problem


def change_accounts(knock: Knock) -> dict[str, Any]:
    """Add, change and close accounts; returns the Item's open accounts."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(AccountChanges)
    for body in wanted.upsert:
        _upsert(world, item, body)
    for account_id in wanted.close:
        account = _account_of(world, item, account_id)
        if account is None:
            raise RefusedError(f"the Item has no account {account_id}")
        account.open = False
        world.store.put(account)
    return {"accounts": _open_bodies(world, item)}


def _upsert(world: World, item: Item, body: dict[str, Any]) -> None:
    account_id = body.get("account_id") or world.ids.take()
    if not isinstance(account_id, str):
        raise RefusedError("account_id must be a string")
    if not isinstance(body.get("balances") or {}, dict):
        raise RefusedError("balances must be an object")
    account = _account_of(world, item, account_id)
    before = blank_account(account_id) if account is None else account.body
    balances = before["balances"] | (body.get("balances") or {})
    after = before | body | {"account_id": account_id, "balances": balances}
    role = None if account is None else account.role
    world.store.put(Account(id=account_id, owner=item.id, body=after, role=role))


def blank_account(account_id: str) -> dict[str, Any]:
    """Return the AccountBase of an empty checking account."""
    blank = blueprint.Account(
        name="Plaid Checking",
        official_name=None,
        mask="0000",
        type="depository",
        subtype="checking",
        current=0,
        available=0,
    )
    return blank.body(account_id)


def _account_of(world: World, item: Item, account_id: str) -> Account | None:
    account = world.store.get(Account, account_id)
    return account if account is not None and account.owner == item.id else None


def _open_bodies(world: World, item: Item) -> list[dict[str, Any]]:
    return [each.body for each in world.store.of(Account, item.id) if each.open]


def append_bulk(knock: Knock) -> dict[str, Any]:
    """Add many generated transactions."""
    world, item, wanted = knock.service.world, knock.item(), knock.read(Bulk)
    bulk.append(world, item, wanted.count, wanted.start_date)
    return {"added": wanted.count}


def hold_readiness(knock: Knock) -> dict[str, Any]:
    """Hold the Item's transactions_update_status, or let it follow the clock again."""
    world, item = knock.service.world, knock.item()
    item.held = knock.read(Readiness).status
    world.store.put(item)
    return shown(world, item)


def forget_cursors(knock: Knock) -> dict[str, Any]:
    """Make every cursor given out so far foreign to the Item."""
    item = knock.item()
    item.cursor_era += 1
    knock.service.world.store.put(item)
    return {}


def ledger(knock: Knock) -> dict[str, Any]:
    """Return what a correct client must hold now."""
    world, item = knock.service.world, knock.item()
    history.settle(world, item)
    rows = world.ledger.present(item)
    return {
        "accounts": _open_bodies(world, item),
        "transactions": [row.json(with_original=False) for row in rows],
    }


def ledger_hash(knock: Knock) -> dict[str, Any]:
    """Return what all ledgers come to: the same hash in the same world, whenever and wherever."""
    return hashes.of_world(knock.service.world)


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/items"): list_items,
    ("POST", "/items/{item_id}/changes"): change,
    ("POST", "/items/{item_id}/script"): script,
    ("POST", "/items/{item_id}/accounts"): change_accounts,
    ("POST", "/items/{item_id}/bulk"): append_bulk,
    ("POST", "/items/{item_id}/readiness"): hold_readiness,
    ("POST", "/items/{item_id}/forget_cursors"): forget_cursors,
    ("GET", "/ledger"): ledger_hash,
    ("GET", "/ledger/{item_id}"): ledger,
}

"""Updates at the bank that a test dictates: what it leaves out is filled in as Plaid would."""

from typing import Any

from msgspec import Struct, field

from platypus_bank.ledger import Row
from platypus_bank.records import Account, Item
from platypus_bank.seeds.blueprint import POSTS_ON, blank_transaction
from platypus_bank.world import World


class UnknownTransactionError(Exception):
    """A change names a transaction that is not there."""


class UnusableError(Exception):
    """A change gives something that nothing can be found by."""


class Changes(Struct, kw_only=True, forbid_unknown_fields=True):
    """One update: partial transactions to add, partial ones with ids to modify, ids to remove."""

    added: list[dict[str, Any]] = field(default_factory=list)
    modified: list[dict[str, Any]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def apply(world: World, item: Item, changes: Changes) -> dict[str, list[str]]:
    """Make an update; returns its ids. Raises UnknownTransactionError, UnusableError."""
    added = [complete(world, item, each) for each in changes.added]
    modified = [merged(existing(world, item, each), each) for each in changes.modified]
    for transaction_id in changes.removed:
        _present(world, item, transaction_id)
    for transaction in (*added, *modified):
        world.ledger.put(item, transaction)
    for transaction_id in changes.removed:
        world.ledger.remove(item, transaction_id)
    item.last_update_at = world.clock.now()
    world.store.put(item)
    return {
        "added": [each["transaction_id"] for each in added],
        "modified": [each["transaction_id"] for each in modified],
        "removed": changes.removed,
    }


def complete(world: World, item: Item, partial: dict[str, Any]) -> dict[str, Any]:
    """Return a whole transaction: what was given, verbatim, over a blank one."""
    transaction_id = partial.get("transaction_id") or world.ids.take()
    account_id = partial.get("account_id") or first_account(world, item)
    day = world.clock.today().isoformat()
    whole = blank_transaction(transaction_id, account_id, day) | partial
    whole["transaction_id"] = transaction_id
    if partial.get("unofficial_currency_code") and "iso_currency_code" not in partial:
        whole["iso_currency_code"] = None
    whole.setdefault("original_description", whole["name"])
    return usable(whole)


def existing(world: World, item: Item, partial: dict[str, Any]) -> Row:
    """Return the row that a partial transaction changes; raises UnknownTransactionError."""
    return _present(world, item, str(partial.get("transaction_id")))


def merged(row: Row, partial: dict[str, Any]) -> dict[str, Any]:
    """Return a row's transaction with some fields replaced; a pending one still posts in time."""
    whole = row.fields() | partial
    if whole.get("pending"):
        whole[POSTS_ON] = row.posts_on
    return usable(whole)


def usable(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction that can be found again; raises UnusableError."""
    for name in ("transaction_id", "account_id", "date"):
        if not isinstance(whole[name], str):
            raise UnusableError(f"{name} must be a string")
    return whole


def first_account(world: World, item: Item) -> str:
    """Return the account that a transaction without one belongs to."""
    return world.store.of(Account, item.id)[0].id


def _present(world: World, item: Item, transaction_id: str) -> Row:
    row = world.ledger.find(item, transaction_id)
    if row is None:
        raise UnknownTransactionError(f"the Item has no transaction {transaction_id}")
    return row

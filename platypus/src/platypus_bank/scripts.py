"""Scripts: sync pages that a test dictates, and what they leave in the ledger."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from platypus_bank.changes import UnusableError, complete, first_account, merged, usable
from platypus_bank.records import Item, Script
from platypus_bank.seeds.blueprint import POSTS_ON
from platypus_bank.world import World


class ScriptPage(Struct, kw_only=True, forbid_unknown_fields=True):
    """One page; a removed entry is an id, known or not, or Plaid's object for it."""

    added: list[dict[str, Any]] = field(default_factory=list)
    modified: list[dict[str, Any]] = field(default_factory=list)
    removed: list[str | dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] | None = None


class ScriptRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """The pages of the next sync loop, and the status they carry (None: the Item's)."""

    pages: Annotated[list[ScriptPage], Meta(min_length=1)]
    status: str | None = None


def write_script(world: World, item: Item, request: ScriptRequest) -> list[dict[str, Any]]:
    """Put a script at the end of the Item's changes and return its pages as they will be sent.

    The ledger then holds what a correct client must: the later page wins; within a page removed
    beats modified beats added.
    """
    start = item.last_seq
    drafts = _Drafts(world, item)
    pages = [drafts.page(each) for each in request.pages]
    drafts.settle()
    item.last_seq = max(item.last_seq, start + 1)
    script = Script(
        id=world.ids.take(),
        owner=item.id,
        start=start,
        end=item.last_seq,
        pages=pages,
        status=request.status,
    )
    world.store.put(script)
    world.store.put(item)
    return pages


class _Drafts:
    """What the pages so far have made of each transaction; None means removed."""

    def __init__(self, world: World, item: Item) -> None:
        self._world = world
        self._item = item
        self._drafts: dict[str, dict[str, Any] | None] = {}

    def page(self, page: ScriptPage) -> dict[str, Any]:
        written: dict[str, Any] = {
            "added": [self._draft(complete(self._world, self._item, each)) for each in page.added],
            "modified": [self._modify(each) for each in page.modified],
            "removed": [self._remove(each) for each in page.removed],
        }
        return written if page.accounts is None else written | {"accounts": page.accounts}

    def settle(self) -> None:
        ledger = self._world.ledger
        for transaction_id, draft in self._drafts.items():
            if draft is not None:
                ledger.put(self._item, draft)
            elif ledger.find(self._item, transaction_id):
                ledger.remove(self._item, transaction_id)

    def _draft(self, whole: dict[str, Any]) -> dict[str, Any]:
        self._drafts[whole["transaction_id"]] = whole
        return {key: value for key, value in whole.items() if key != POSTS_ON}

    def _modify(self, partial: dict[str, Any]) -> dict[str, Any]:
        transaction_id = str(partial.get("transaction_id"))
        draft = self._drafts.get(transaction_id)
        if draft is not None:
            return self._draft(usable(draft | partial))
        row = self._world.ledger.find(self._item, transaction_id)
        if row is not None and transaction_id not in self._drafts:
            return self._draft(merged(row, partial))
        return self._draft(complete(self._world, self._item, partial))

    def _remove(self, entry: str | dict[str, Any]) -> dict[str, Any]:
        given = {"transaction_id": entry} if isinstance(entry, str) else entry
        transaction_id = given.get("transaction_id")
        if not isinstance(transaction_id, str):
            raise UnusableError("transaction_id must be a string")
        row = self._world.ledger.find(self._item, transaction_id)
        draft = self._drafts.get(transaction_id)
        self._drafts[transaction_id] = None
        if draft:
            account_id = draft["account_id"]
        else:
            account_id = row.account_id if row else first_account(self._world, self._item)
        return {"account_id": account_id, **given}

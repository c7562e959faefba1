"""The lock on an Item's set of tags: those who write several of them wait in a line, not in a ring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.models import ItemProduct, ProductState
from bankloom.services import request_run
from harness import wait_until
from scenes import background, query, waiting_for_locks
from workers import ask_for_run, store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


def add(parts: Runtime, item_id: str, product: str) -> None:
    with parts.database.session() as session:
        ItemProduct.add(session, item_id, product, ProductState.REQUESTED, None)


def add_and_ask(parts: Runtime, item_id: str, product: str) -> None:
    """Do what a later exchange of the same public token does."""
    with parts.database.session() as session:
        ItemProduct.add(session, item_id, product, ProductState.REQUESTED, None)
        request_run.request(session, item_id, "exchange")


def test_a_tag_that_appears_while_others_are_locked(parts: Runtime, bank: Running) -> None:
    """A request that waits for a tag, a tag added meanwhile, and a request for both: all commit."""
    item_id = store_item(parts, bank)
    with background() as start:
        with parts.database.session() as session:
            session.get_one(ItemProduct, (item_id, "transactions"), with_for_update=True)
            first = start(add_and_ask, parts, item_id, "investments")
            wait_until(lambda: waiting_for_locks(parts) == 1)
            new = start(add, parts, item_id, "liabilities")
            wait_until(lambda: new.done() or waiting_for_locks(parts) == 2)
            last = start(ask_for_run, parts, item_id)
            wait_until(lambda: waiting_for_locks(parts) == (2 if new.done() else 3))
        for each in (first, new, last):
            each.result()
    due = query(parts, "SELECT product FROM item_products WHERE next_try_at IS NOT NULL")
    assert {"investments", "transactions"} <= {row.product for row in due}

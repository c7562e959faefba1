"""What is told of all Items, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom.services import show_item
from scenes import query
from workers import store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

MORE_THAN_A_STATEMENT_HAS_PARAMETERS = 66_000


def test_more_items_than_a_statement_has_parameters(parts: Runtime, bank: Running) -> None:
    """The list of all Items is whole, and each has its tags."""
    store_item(parts, bank)
    count = MORE_THAN_A_STATEMENT_HAS_PARAMETERS
    query(
        parts,
        "INSERT INTO items (item_id, user_id, environment, base_url, client_id,"
        " access_token_sealed, access_token_hash)"
        " SELECT 'item-' || n, user_id, environment, base_url, client_id, 'sealed', 'hash-' || n"
        " FROM items, generate_series(2, :count) n",
        count=count,
    )
    query(
        parts,
        "INSERT INTO item_products (item_id, product) SELECT item_id, 'transactions' FROM items"
        " ON CONFLICT DO NOTHING",
    )
    with parts.database.session() as session:
        views = show_item.views(session, None)
    assert len(views) == count
    assert {tuple(tag.product for tag in view.tags) for view in views} == {("transactions",)}

"""A user's key over HTTP: all that it may do is done behind the second wall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import Api, go_through_link, wait_until
from link_scenes import hosted_link, repaired, session_of, update_mode
from scenes import bank_account, exchange, executed, newcomer, person, purchases, query
from workers import store_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

SCOPES = ["read", "sync", "link"]


def key_for(api: Api, user: str) -> Api:
    """Return a caller with a key of this user, who is made if need be."""
    told = api.post("/keys", user_id=user, scopes=SCOPES)
    assert told.status_code == 201, told.text
    return Api(api.url, told.json()["key"])


@pytest.fixture
def ada(api: Api, runtime: Runtime) -> Iterator[Api]:
    """Ada's own caller; the wall stands."""
    assert runtime.wall.is_standing, runtime.wall.problem
    own = key_for(api, "ada")
    with own.client:
        yield own


def test_everything_is_done_with_a_users_key(api: Api, ada: Api, bank: Running) -> None:
    """Link, exchange for each product, once more, sync, read, cancel, refresh."""
    hers = api.link(bank, "grace", **person())
    login = person(bank_account(transactions=purchases(5)))
    new = newcomer(ada, bank, products=["transactions", "auth"], **login)
    for product in ("transactions", "auth", "transactions", "investments"):
        told = exchange(ada, new.public_token, product)
        assert (told.status_code, told.json()["access_token"]) == (200, None), told.text
    assert exchange(ada, "public-sandbox-unknown").status_code == 404
    ada.sync_until_complete(new.item_id)
    assert len(ada.transactions(limit=2)) == 5
    (account,) = ada.accounts()
    assert ada.transactions(account_id=account["account_id"], item_id=new.item_id, q="Purchase")
    (item,) = ada.get("/plaid/items").json()
    assert ada.get(f"/plaid/items/{new.item_id}").json() == item
    assert {tag["product"] for tag in item["products"]} == {"transactions", "auth", "investments"}
    runs = ada.get("/plaid/runs").json()["runs"]
    assert {run["item_id"] for run in runs} == {new.item_id}
    run_id = ada.sync(new.item_id, wait=False)["run_id"]
    assert ada.get(f"/plaid/runs/{run_id}").status_code == 200
    assert ada.post(f"/plaid/runs/{run_id}/cancel").status_code == 200
    assert ada.post(f"/plaid/items/{new.item_id}/refresh").status_code == 202
    removed = ada.client.delete(f"/plaid/items/{new.item_id}")
    assert (removed.status_code, removed.json()["rows_deleted"]["transactions"]) == (200, 5)
    assert ada.client.delete(f"/plaid/items/{new.item_id}").json() == removed.json()
    receipt = ada.get(f"/plaid/receipts/{removed.json()['receipt_id']}")
    assert receipt.json() == removed.json()
    assert ada.client.delete(f"/plaid/items/{hers}").status_code == 404


def test_link_is_gone_through_again_with_a_users_key(
    ada: Api, bank: Running, runtime: Runtime
) -> None:
    """A duplicate is refused, linked all the same, held by a hosted Link, and decided on; a repair."""
    item_id = ada.link(bank, **person())
    again = newcomer(ada, bank, **person())
    refused = exchange(ada, again.public_token)
    assert (refused.status_code, refused.json()["error"]["item_id"]) == (409, item_id)
    assert exchange(ada, again.public_token, allow_duplicate=True).status_code == 200
    opened = hosted_link(ada)
    go_through_link(bank, opened["link_token"], **person())
    query(runtime, "UPDATE link_sessions SET poll_at = now() WHERE hosted")
    wait_until(lambda: session_of(ada, opened)["duplicates"])
    path = f"/plaid/link-sessions/{opened['link_session_id']}/duplicates"
    decided = ada.post(path, decision="link")
    assert (decided.status_code, decided.json()["duplicates"]) == (200, []), decided.text
    assert len(ada.get("/plaid/items").json()) == 3
    update = update_mode(ada, item_id)
    go_through_link(bank, update["link_token"])
    assert repaired(ada, item_id, link_session_id=update["link_session_id"]).status_code == 200
    assert session_of(ada, update)["state"] == "finished"
    assert {each["user_id"] for each in ada.get("/plaid/link-sessions").json()} == {"ada"}


def test_a_public_token_of_another_person_is_not_taken(api: Api, ada: Api, bank: Running) -> None:
    """Whoever has got hold of it: a user's key exchanges what came of that user's own Link only."""
    hers = newcomer(api, bank, "grace", **person())
    stolen = exchange(ada, hers.public_token)
    assert (stolen.status_code, stolen.json()["error"]["code"]) == (404, "not_found")
    assert ada.get("/plaid/items").json() == []
    assert exchange(api, hers.public_token).status_code == 200
    late = exchange(ada, hers.public_token)
    assert (late.status_code, late.json()["error"]["code"]) == (404, "not_found")
    assert [item["user_id"] for item in api.get("/plaid/items", user_id="*").json()] == ["grace"]


Still = tuple[Api, "Runtime"]


def test_the_services_role_only_looks_at_the_key(still: Still, bank: Running) -> None:
    """Whatever a user's request reads or writes, it does not do as the service."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    own = key_for(api, "ada")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/plaid/accounts", {}),
        ("/plaid/transactions", {"item_id": item_id}),
        ("/plaid/items", {}),
        ("/plaid/runs", {}),
        ("/plaid/link-sessions", {}),
    ]
    with own.client, executed(runtime) as statements:
        for path, given in asked:
            assert own.get(path, **given).status_code == 200
        assert own.sync(item_id, wait=False)["status"] == "queued"
        own.link_token()
    tables = {word for sql, _ in statements for word in sql.split() if "bankloom." in word}
    asked_for_it = {table.partition(".")[2].partition(".")[0] for table in tables}
    assert asked_for_it - {"processes"} == {"api_keys"}  # which this process says it is one of
    assert statements


def test_one_statement_more_a_request(still: Still, bank: Running) -> None:
    """Showing the pass; what the last session left is forgotten in place of the pool's ping."""
    api, runtime = still
    store_item(runtime, bank)
    own = key_for(api, "ada")
    assert runtime.wall.pool is not None
    with own.client, executed(runtime, runtime.wall.pool.engine) as statements:
        assert own.get("/plaid/transactions").status_code == 200
    assert len([sql for sql, _ in statements if "bankloom.pass" in sql]) == 1
    assert len(statements) == 3  # the pass, the user's name, the page

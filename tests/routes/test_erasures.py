"""Erasing over HTTP: who may, what is answered, what can be read afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bankloom.models import ApiKey, Scope, User
from bankloom.services import sync_item
from scenes import never, query
from workers import ask_for_run, store_item

if TYPE_CHECKING:
    from httpx import Response

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

Still = tuple["Api", "Runtime"]


def key_of(runtime: Runtime, *scopes: Scope, user: str | None = None) -> str:
    with runtime.database.session() as session:
        user_id = User.get_or_create(session, user).id if user else None
        return ApiKey.create(session, "a key", user_id, scopes=scopes).text


def ask(api: Api, key: str, method: str, path: str, **params: Any) -> Response:
    headers = {"Authorization": f"Bearer {key}"}
    return api.client.request(method, path, headers=headers, params=params)


def test_a_persons_key_erases_their_own_items_only(still: Still, bank: Running) -> None:
    """It needs the scope `link`; others' Items are not there for it; its receipt is its own to read."""
    api, runtime = still
    item_id = store_item(runtime, bank)  # ada's
    path = f"/plaid/items/{item_id}"
    assert ask(api, key_of(runtime, Scope.READ, user="ada"), "DELETE", path).status_code == 403
    hers, his = (key_of(runtime, Scope.LINK, Scope.READ, user=name) for name in ("ada", "bob"))
    assert ask(api, his, "DELETE", path).status_code == 404
    assert ask(api, hers, "DELETE", path, data="burn").status_code == 422
    assert ask(api, hers, "DELETE", "/plaid/users/ada").status_code == 403
    answer = ask(api, hers, "DELETE", path)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert (receipt["status"], receipt["subject"], receipt["item_id"]) == ("finished", "item", None)
    assert receipt["plaid"]["request_id"]
    assert receipt["rows_deleted"]["items"] == 1
    for key, status in ((hers, 200), (api.key, 200), (his, 404)):
        shown = ask(api, key, "GET", f"/plaid/receipts/{receipt['receipt_id']}")
        assert shown.status_code == status
    assert ask(api, hers, "DELETE", path).json() == receipt
    assert ask(api, his, "DELETE", path).status_code == 404
    assert ask(api, hers, "GET", path).status_code == 404


def test_what_is_kept_can_be_read(still: Still, bank: Running) -> None:
    """A removed Item is told of where it is named, and its accounts and transactions with it."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    ask_for_run(runtime, item_id)
    sync_item.now(runtime, item_id, never)
    answer = ask(api, api.key, "DELETE", f"/plaid/items/{item_id}", data="keep")
    assert (answer.status_code, answer.json()["item_id"]) == (200, item_id)
    assert api.get(f"/plaid/items/{item_id}").json()["state"] == "removed"
    assert api.get("/plaid/items").json() == []
    (listed,) = api.get("/plaid/items", state="removed").json()
    assert (listed["item_id"], listed["next_try_at"]) == (item_id, None)
    assert len(api.accounts(item_id=item_id)) == 1
    assert api.accounts() == []
    assert api.get("/plaid/transactions", item_id=item_id).status_code == 200
    assert api.post("/plaid/sync", item_id=item_id).status_code == 404


def test_what_was_kept_is_not_deleted_unnoted(still: Still, bank: Running) -> None:
    """The audit log has both: the removal that kept the data, and the one that deleted it."""
    api, runtime = still
    path = f"/plaid/items/{store_item(runtime, bank)}"
    receipts = [
        ask(api, api.key, "DELETE", path, data=data).json()["receipt_id"]
        for data in ("keep", "delete")
    ]
    noted = [
        (entry["facts"]["receipt_id"], entry["facts"]["keeps_data"])
        for entry in api.get("/audit", action="item.removed").json()["entries"]
        if entry["facts"]["receipt_id"] in receipts
    ]
    assert noted == [(receipts[1], False), (receipts[0], True)]


def test_a_refusal_of_plaids_is_told(still: Still, bank: Running) -> None:
    """502 with Plaid's codes, and the Item is as it was."""
    api, runtime = still
    item_id = store_item(runtime, bank)
    error = {"error_type": "INVALID_INPUT", "error_code": "INVALID_API_KEYS"}
    bank.control.fault("/item/remove", error=error)
    answer = ask(api, api.key, "DELETE", f"/plaid/items/{item_id}")
    told = answer.json()["error"]
    assert (answer.status_code, told["error_code"]) == (502, "INVALID_API_KEYS")
    assert "receipt_id" not in told
    assert api.get(f"/plaid/items/{item_id}").json()["state"] == "new"


def test_a_person_is_erased_bank_by_bank(still: Still, bank: Running) -> None:
    """202 while a bank remains, which the receipt names with the reason; 200 once all is gone."""
    api, runtime = still
    stuck = store_item(runtime, bank)
    store_item(runtime, bank)
    error = {"error_type": "INVALID_INPUT", "error_code": "INVALID_API_KEYS"}
    bank.control.fault("/item/remove", item_id=stuck, error=error)
    answer = ask(api, api.key, "DELETE", "/plaid/users/ada")
    assert answer.status_code == 202, answer.text
    told = answer.json()
    (waiting,) = (part for part in told["parts"] if part["status"] == "erasing")
    assert (waiting["item_id"], waiting["error"]["code"]) == (stuck, "INVALID_API_KEYS")
    assert told["next_try_at"]
    again = ask(api, api.key, "DELETE", "/plaid/users/ada")
    assert (again.status_code, again.json()["receipt_id"]) == (200, told["receipt_id"])
    assert query(runtime, "SELECT 1 FROM users") == []
    assert ask(api, api.key, "DELETE", "/plaid/users/nobody").status_code == 404


def test_a_person_is_erased_whatever_their_id(still: Still) -> None:
    """An id is any text, and a slash in it is no path."""
    api, runtime = still
    name = 'org/../"Zoë" ?#%'
    with runtime.database.session() as session:
        User.get_or_create(session, name)
    answer = ask(api, api.key, "DELETE", f"/plaid/users/{quote(name, safe='')}")
    assert (answer.status_code, answer.json()["status"]) == (200, "finished")
    assert query(runtime, "SELECT 1 FROM users") == []

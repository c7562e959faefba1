"""An Item's `error_code`: set where a person must act, and until then, whatever else goes well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.services import jobs
from harness import wait_until
from scenes import SYNC_PATH, ask_plaid, exchange, linked, newcomer, person, query, tags

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

LOGIN = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}


def error_code(api: Api) -> str | None:
    """Return the code of the one Item that is linked."""
    (item,) = api.get("/plaid/items").json()
    code: str | None = item["error_code"]
    return code


def with_two_products(api: Api, bank: Running, **choices: Any) -> str:
    """Link an Item for transactions and liabilities; return it."""
    item_id = api.link(bank, products=["transactions", "liabilities"], **(choices or person()))
    api.sync_until_complete(item_id)
    return item_id


def run_liabilities(runtime: Runtime, item_id: str) -> None:
    """Let the liabilities fall due alone, and wait until they were tried."""
    at = "SELECT last_success_at FROM item_products WHERE product = 'liabilities'"
    before = query(runtime, at)
    query(runtime, "UPDATE item_products SET next_try_at = now() WHERE product = 'liabilities'")
    with runtime.database.session() as session:
        jobs.later(session, item_id)
    wait_until(lambda: query(runtime, at) != before)


def test_another_products_success_does_not_hide_a_broken_login(
    api: Api, runtime: Runtime, bank: Running
) -> None:
    """While the transactions wait for a login, the Item says so, until they came."""
    item_id = with_two_products(api, bank)
    bank.control.fault(SYNC_PATH, error=LOGIN)
    assert api.sync(item_id)["status"] == "needs_relink"
    assert error_code(api) == "ITEM_LOGIN_REQUIRED"
    run_liabilities(runtime, item_id)
    assert error_code(api) == "ITEM_LOGIN_REQUIRED"
    assert api.sync(item_id)["status"] == "up_to_date"
    assert error_code(api) is None


def test_another_failure_does_not_hide_a_broken_login(api: Api, bank: Running) -> None:
    """A network that is away as well changes nothing of what the person has to do."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    assert api.sync(new.item_id)["status"] == "needs_relink"
    bank.control.fault("*", drop=True, times=0)
    assert api.sync(new.item_id)["status"] == "failed"
    assert error_code(api) == "ITEM_LOGIN_REQUIRED"


def test_a_missing_consent_is_for_the_person(api: Api, bank: Running) -> None:
    """The run says needs_relink and the Item why, until the product's consent is there."""
    new = newcomer(api, bank, products=["liabilities"], **person())
    assert exchange(api, new.public_token).is_success
    assert error_code(api) is None
    assert api.sync(new.item_id)["status"] == "needs_relink"
    assert error_code(api) == "ADDITIONAL_CONSENT_REQUIRED"


def test_plaids_own_word_on_the_item_stands(api: Api, runtime: Runtime, bank: Running) -> None:
    """What `/item/get` says holds though every product is served, until it says otherwise."""
    new = newcomer(api, bank, **person())
    told = {"item": {"item_id": new.item_id, "error": LOGIN}, "request_id": "r"}
    bank.control.fault("/item/get", body=json.dumps(told), times=0)
    assert exchange(api, new.public_token).is_success
    api.sync_until_complete(new.item_id)
    assert tags(runtime) == {"transactions": "ready"}
    assert error_code(api) == "ITEM_LOGIN_REQUIRED"
    bank.control.clear_faults()
    api.sync(new.item_id)
    assert error_code(api) is None


def test_a_healthy_item_is_not_asked_about(api: Api, bank: Running) -> None:
    """`/item/get` costs a call and a share of Plaid's limit: it is asked where there is a reason."""
    item_id = linked(api, bank)
    bank.control.forget_calls()
    api.sync(item_id)
    assert bank.control.calls("/item/get") == []


@pytest.mark.parametrize("later", [LOGIN, None])
def test_an_item_that_is_gone_stays_gone(
    api: Api, runtime: Runtime, bank: Running, later: dict[str, Any] | None
) -> None:
    """A lesser error, or another product's success, does not make it a duplicate again."""
    item_id = with_two_products(api, bank)
    revoked = {"error_type": "ITEM_ERROR", "error_code": "USER_PERMISSION_REVOKED"}
    bank.control.fault(SYNC_PATH, error=revoked)
    assert api.sync(item_id)["error"]["code"] == "USER_PERMISSION_REVOKED"
    if later:
        told = {"item": {"item_id": item_id, "error": later}, "request_id": "r"}
        bank.control.fault("/item/get", body=json.dumps(told))
    run_liabilities(runtime, item_id)
    assert error_code(api) == "USER_PERMISSION_REVOKED"
    assert exchange(api, newcomer(api, bank, **person()).public_token).status_code == 200

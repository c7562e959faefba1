"""`POST /plaid/items/{item_id}/refresh` asks the bank again, apart from any sync, and never unasked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.models import ApiKey, User
from bankloom.services import tick
from harness import serving, wait_until
from scenes import assert_equals_ledger, exchange, linked, newcomer, person, query, stored

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

REFRESH_PATH = "/transactions/refresh"
LAST_SUCCESS = "SELECT last_success_at FROM item_products"
DYNAMIC = {"username": "user_transactions_dynamic", "password": "pass_good"}
WAIT = "SELECT extract(epoch FROM next_try_at - now()) AS seconds FROM item_products"


def test_a_refresh_brings_new_rows(api: Api, runtime: Runtime, bank: Running) -> None:
    """Plaid is asked once; without a webhook the tag falls due in minutes, and its run pulls them."""
    item_id = linked(api, bank, **DYNAMIC)
    before = stored(api)
    bank.control.forget_calls()
    answer = api.post(f"/plaid/items/{item_id}/refresh", products=["transactions"])
    assert answer.status_code == 202
    (call,) = bank.control.calls()
    assert call["path"] == REFRESH_PATH
    assert answer.json() == {"status": "asked", "request_id": call["request_id"]}
    ((seconds,),) = query(runtime, WAIT)
    assert 60 < seconds <= 120
    assert stored(api) == before
    query(runtime, "UPDATE item_products SET next_try_at = now()")
    tick.queue_due(runtime)
    wait_until(lambda: stored(api) != before)
    assert_equals_ledger(api, bank, item_id)
    assert len(bank.control.calls(REFRESH_PATH)) == 1


def test_a_webhook_is_waited_for(settings: Settings, bank: Running) -> None:
    """Where Plaid has our URL, the refresh itself makes nothing due."""
    public = settings.model_copy(update={"public_url": "https://bank.example"})
    with serving(public) as (api, runtime):
        item_id = linked(api, bank, **DYNAMIC)
        assert api.client.post(f"/plaid/items/{item_id}/refresh").status_code == 202
        ((seconds,),) = query(runtime, WAIT)
    assert seconds > 3600


def test_what_is_due_sooner_stays_so(api: Api, runtime: Runtime, bank: Running) -> None:
    """A refresh puts nothing off."""
    item_id = linked(api, bank)
    query(runtime, "UPDATE item_products SET next_try_at = now() + interval '20 s'")
    assert api.client.post(f"/plaid/items/{item_id}/refresh").status_code == 202
    ((seconds,),) = query(runtime, WAIT)
    assert seconds < 20


@pytest.mark.parametrize(
    ("error_type", "error_code", "status", "code"),
    [
        ("ITEM_ERROR", "PRODUCTS_NOT_SUPPORTED", 502, "plaid_error"),
        ("ITEM_ERROR", "ITEM_LOGIN_REQUIRED", 502, "plaid_error"),
        ("RATE_LIMIT_EXCEEDED", "TRANSACTIONS_REFRESH_LIMIT", 503, "plaid_busy"),
    ],
)
def test_plaids_refusal_is_passed_on(  # noqa: PLR0917 - the parameters of Plaid's refusals
    api: Api,
    runtime: Runtime,
    bank: Running,
    error_type: str,
    error_code: str,
    status: int,
    code: str,
) -> None:
    """With Plaid's codes, and nothing is due for it."""
    item_id = linked(api, bank)
    refusal = {"error_type": error_type, "error_code": error_code}
    bank.control.fault(REFRESH_PATH, error=refusal)
    answer = api.client.post(f"/plaid/items/{item_id}/refresh")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"], error["error_code"]) == (code, error_code)
    assert error["request_id"] == bank.control.calls(REFRESH_PATH)[-1]["request_id"]
    ((seconds,),) = query(runtime, WAIT)
    assert seconds > 3600


def test_what_can_not_be_refreshed(api: Api, runtime: Runtime, bank: Running) -> None:
    """Another's Item, an Item without transactions, other products: refused, and nobody is asked."""
    hers = linked(api, bank, "ada")
    new = newcomer(api, bank, "bob", products=["liabilities"], **person())
    assert exchange(api, new.public_token, "liabilities").is_success
    with runtime.database.session() as session:
        ada = User.find(session, "ada")
        assert ada is not None
        key = ApiKey.create(session, "ada's", ada.id).text
    bank.control.forget_calls()
    refused: list[tuple[str, Any, int, str]] = [
        ("unknown", {}, 404, "not_found"),
        (new.item_id, {}, 422, "invalid_products"),
        (hers, {"products": ["liabilities"]}, 422, "invalid_products"),
        (hers, {"products": []}, 422, "invalid_products"),
        (hers, {"products": "transactions"}, 422, "invalid_request"),
        (hers, {"wait": True}, 422, "invalid_request"),
    ]
    for item_id, body, status, code in refused:
        answer = api.post(f"/plaid/items/{item_id}/refresh", **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    headers = {"Authorization": f"Bearer {key}"}
    answer = api.client.post(f"/plaid/items/{new.item_id}/refresh", headers=headers)
    assert answer.status_code == 404
    assert bank.control.calls(REFRESH_PATH) == []


def test_nothing_but_a_person_refreshes(api: Api, runtime: Runtime, bank: Running) -> None:
    """Syncs, schedules and repeated failures never call the endpoint that is billed per call."""
    item_id = linked(api, bank, **DYNAMIC)
    bank.control.fault("/transactions/sync", drop=True)
    api.sync(item_id)
    api.sync(item_id)
    for _ in range(3):
        before = query(runtime, LAST_SUCCESS)
        query(runtime, "UPDATE item_products SET next_try_at = now()")
        tick.now(runtime, [])
        wait_until(partial(_has_changed, runtime, before))
    assert bank.control.calls(REFRESH_PATH) == []


def _has_changed(runtime: Runtime, before: Any) -> bool:
    return bool(query(runtime, LAST_SUCCESS) != before)

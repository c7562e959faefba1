"""Enrich, categories, imports, verification; and Plaid's endpoints that are not emulated."""

from typing import Any

import pytest
from plaid.model.item_import_request import ItemImportRequest
from plaid.model.item_import_request_user_auth import ItemImportRequestUserAuth
from plaid.model.products import Products

from contract import Contract
from platypus_bank.plaid_door import ENDPOINTS

NOT_EMULATED = [each for each in Contract().paths() if each not in ENDPOINTS]


def provided(description: str, **more: Any) -> dict[str, Any]:
    """A transaction of somebody's own."""
    return {
        "id": "1",
        "description": description,
        "amount": 4.5,
        "direction": "OUTFLOW",
        "iso_currency_code": "USD",
        **more,
    }


def test_a_shop_is_recognised(api: Any) -> None:
    known, unknown, income = api.post(
        "/transactions/enrich",
        account_type="credit",
        transactions=[
            provided("PURCHASE STARBUCKS #1700", location={"city": "Poway"}),
            provided("QWERTY 1"),
            provided("QWERTY 2", direction="INFLOW"),
        ],
    )["enriched_transactions"]
    about = known["enrichments"]
    assert (about["merchant_name"], about["location"]["city"]) == ("Starbucks", "Poway")
    assert about["personal_finance_category"]["detailed"] == "FOOD_AND_DRINK_COFFEE"
    assert unknown["enrichments"]["merchant_name"] is None
    assert income["enrichments"]["personal_finance_category"]["primary"] == "INCOME"


@pytest.mark.parametrize(
    "transactions",
    [[], [provided("x")] * 101, [provided("x", amount=-1)], [provided("x", direction="UP")]],
)
def test_what_enrich_refuses(api: Any, transactions: list[Any]) -> None:
    refused = api.post("/transactions/enrich", account_type="credit", transactions=transactions)
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_categories_need_no_keys(api: Any, typed: Any) -> None:
    api.headers = {}
    assert api.post("/categories/get")["categories"][0]["hierarchy"] == ["Bank Fees"]
    assert typed.categories_get({}).categories


def test_an_item_without_link(api: Any, typed: Any) -> None:
    request = ItemImportRequest(
        products=[Products("transactions")],
        user_auth=ItemImportRequestUserAuth(user_id="1", auth_token="2"),
    )
    access = typed.item_import(request).access_token
    assert len(api.pull(access)[1]) > 0
    refused = api.post(
        "/item/import", products=["nonsense"], user_auth=request["user_auth"].to_dict()
    )
    assert refused.error == (400, "INVALID_INPUT", "INVALID_PRODUCT")


@pytest.mark.parametrize("status", ["automatically_verified", "verification_expired"])
def test_micro_deposits_end(api: Any, receiver: Any, read_webhook: Any, status: str) -> None:
    access, item_id = api.item("auth", webhook=receiver.url)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    account_id = accounts[0]["account_id"]
    asked = {"access_token": access, "account_id": account_id, "verification_status": status}
    assert api.post("/sandbox/item/set_verification_status", **asked).status == 200
    (told,) = receiver.wait(1)
    assert (told.json["webhook_type"], told.code) == ("AUTH", status.upper())
    assert (told.json["item_id"], told.json["account_id"]) == (item_id, account_id)
    read_webhook(f"{status}_webhook", told)
    (account,) = api.post(
        "/accounts/get", access_token=access, options={"account_ids": [account_id]}
    )["accounts"]
    assert account["verification_status"] == status
    nobodys = {**asked, "account_id": "nobody's"}
    refused = api.post("/sandbox/item/set_verification_status", **nobodys)
    assert refused.error == (400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")


@pytest.mark.parametrize(
    "path", ["/transfer/create", "/processor/token/create", "/signal/evaluate"]
)
def test_what_a_client_was_not_given(api: Any, path: str) -> None:
    assert api.post(path).error == (400, "INVALID_INPUT", "UNAUTHORIZED_ROUTE_ACCESS")
    api.headers = {}
    assert api.post(path).error == (400, "INVALID_INPUT", "INVALID_API_KEYS")


def test_no_processor_has_a_token(api: Any) -> None:
    refused = api.post("/processor/auth/get", processor_token="processor-sandbox-x")
    assert refused.error == (400, "INVALID_INPUT", "INVALID_PROCESSOR_TOKEN")


def test_every_endpoint_of_plaids_is_known_by_name(api: Any) -> None:
    codes = {api.post(path).body["error_code"] for path in NOT_EMULATED}
    assert codes <= {"UNAUTHORIZED_ROUTE_ACCESS", "INVALID_PROCESSOR_TOKEN"}

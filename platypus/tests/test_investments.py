"""/investments/*: https://plaid.com/docs/api/products/investments/."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from plaid.model.investments_auth_get_request import InvestmentsAuthGetRequest
from plaid.model.investments_holdings_get_request import InvestmentsHoldingsGetRequest
from plaid.model.investments_refresh_request import InvestmentsRefreshRequest
from plaid.model.investments_transactions_get_request import InvestmentsTransactionsGetRequest

EVER = {"start_date": "2000-01-01", "end_date": "2100-01-01"}


@pytest.fixture
def token(api: Any) -> str:
    return str(api.item("investments")[0])


def test_holdings_add_up_to_the_balances(api: Any, token: str) -> None:
    got = api.post("/investments/holdings/get", access_token=token)
    worth: dict[str, Decimal] = {}
    for held in got["holdings"]:
        account_id = held["account_id"]
        worth[account_id] = worth.get(account_id, Decimal(0)) + Decimal(held["institution_value"])
    balances = {
        each["account_id"]: Decimal(each["balances"]["current"])
        for each in got["accounts"]
        if each["type"] == "investment"
    }
    assert worth == balances
    assert len(balances) == 2
    assert {each["security_id"] for each in got["securities"]} == {
        each["security_id"] for each in got["holdings"]
    }
    assert all("margin_loan_amount" in each["balances"] for each in got["accounts"])


def test_a_security_is_the_same_for_everybody(api: Any, token: str) -> None:
    other = api.item("investments")[0]
    known = [
        {each["security_id"] for each in api.post(path, access_token=who)["securities"]}
        for path, who in [
            ("/investments/holdings/get", token),
            ("/investments/holdings/get", other),
        ]
    ]
    assert known[0] == known[1]


def test_only_the_accounts_asked_for(api: Any, token: str) -> None:
    accounts = api.post("/accounts/get", access_token=token)["accounts"]
    ira = next(each["account_id"] for each in accounts if each["mask"] == "5555")
    got = api.post("/investments/holdings/get", access_token=token, options={"account_ids": [ira]})
    assert {each["account_id"] for each in got["holdings"]} == {ira}
    assert [each["account_id"] for each in got["accounts"]] == [ira]
    option = next(each for each in got["securities"] if each["type"] == "derivative")
    assert option["option_contract"] == {
        "contract_type": "call",
        "expiration_date": "2018-02-01",
        "strike_price": 355,
        "underlying_security_ticker": "NFLX",
    }


def test_no_investment_accounts(api: Any) -> None:
    access, _ = api.item("investments", override_username="user_transactions_dynamic")
    for path, more in [
        ("/investments/holdings/get", {}),
        ("/investments/transactions/get", EVER),
    ]:
        refused = api.post(path, access_token=access, **more)
        assert refused.error == (400, "ITEM_ERROR", "NO_INVESTMENT_ACCOUNTS")


def test_trades_come_in_stable_pages_newest_first(api: Any, token: str) -> None:
    rows: list[Any] = []
    total = None
    while total is None or len(rows) < total:
        page = api.post(
            "/investments/transactions/get",
            access_token=token,
            **EVER,
            options={"count": 10, "offset": len(rows)},
        )
        total = page["total_investment_transactions"]
        rows += page["investment_transactions"]
        named = {each["security_id"] for each in page["investment_transactions"]}
        assert {each["security_id"] for each in page["securities"]} == named
    assert total == 75
    dates = [each["date"] for each in rows]
    assert dates == sorted(dates, reverse=True)
    assert len({each["investment_transaction_id"] for each in rows}) == total
    bought, sold = (next(each for each in rows if each["type"] == kind) for kind in ("buy", "sell"))
    assert bought["quantity"] > 0 < bought["amount"]
    assert sold["quantity"] < 0 > sold["amount"]
    assert str(sold["quantity"]) == "-47.74104242992852"


def test_days_bound_the_trades(api: Any, bank: Any, token: str) -> None:
    today = date.fromisoformat(bank.control.clock()["today"])
    month = {"start_date": str(today - timedelta(days=29)), "end_date": str(today)}
    page = api.post("/investments/transactions/get", access_token=token, **month)
    assert page["total_investment_transactions"] == 3


def test_an_extraction_in_the_background_ends_with_a_webhook(
    api: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    bank.control.settings(historical_update_seconds=60)
    access, item_id = api.item("investments", webhook=receiver.url)
    asked = {"access_token": access, **EVER, "options": {"async_update": True}}
    for _ in range(2):
        refused = api.post("/investments/transactions/get", **asked)
        assert refused.error == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")
    assert not receiver.received
    bank.control.advance(61)
    (told,) = receiver.wait(1)
    assert told.code == "HISTORICAL_UPDATE"
    assert told.json["webhook_type"] == "INVESTMENTS_TRANSACTIONS"
    assert (told.json["item_id"], told.json["new_investments_transactions"]) == (item_id, 75)
    read_webhook("investments_historical_update_webhook", told)
    page = api.post("/investments/transactions/get", **asked)
    assert page["total_investment_transactions"] == 75


def test_numbers_and_owners_for_a_transfer(api: Any) -> None:
    access, _ = api.item("investments_auth")
    got = api.post("/investments/auth/get", access_token=access)
    assert [each["account"] for each in got["numbers"]["acats"]] == ["TR5555", "TR6666"]
    assert got["owners"][0]["names"] == ["Alberta Bobbeth Charleson"]


def test_a_refresh_brings_nothing_and_tells_nothing(api: Any, receiver: Any) -> None:
    access, _ = api.item("investments", webhook=receiver.url)
    assert api.post("/investments/refresh", access_token=access).status == 200
    other, _ = api.item("transactions")
    refused = api.post("/investments/refresh", access_token=other)
    assert refused.error == (400, "INVALID_INPUT", "ADDITIONAL_CONSENT_REQUIRED")
    assert not receiver.received


def test_investments_typed(typed: Any, api: Any, token: str) -> None:
    held = typed.investments_holdings_get(InvestmentsHoldingsGetRequest(access_token=token))
    assert len(held.holdings) == 10
    done = typed.investments_transactions_get(
        InvestmentsTransactionsGetRequest(
            access_token=token, start_date=date(2000, 1, 1), end_date=date(2100, 1, 1)
        )
    )
    assert done.total_investment_transactions == 75
    request = InvestmentsAuthGetRequest(access_token=api.item("investments_auth")[0])
    assert len(typed.investments_auth_get(request).accounts) == 2
    request = InvestmentsRefreshRequest(access_token=token)
    assert typed.investments_refresh(request).request_id

"""/liabilities/get, /auth/get, /identity/get, each with Plaid's errors."""

from typing import Any

import pytest
from plaid.model.auth_get_request import AuthGetRequest
from plaid.model.identity_get_request import IdentityGetRequest
from plaid.model.liabilities_get_request import LiabilitiesGetRequest


def test_user_good_owes_what_the_example_says(api: Any) -> None:
    access, _ = api.item("liabilities")
    got = api.post("/liabilities/get", access_token=access)
    masks = {each["account_id"]: each["mask"] for each in got["accounts"]}
    owed = {
        kind: [masks[each["account_id"]] for each in debts]
        for kind, debts in got["liabilities"].items()
    }
    assert owed == {
        "credit": ["3333"],
        "mortgage": ["8888"],
        "student": ["7777"],
        "loan": ["9003"],
        "line_of_credit": ["9004"],
    }
    (card,) = got["liabilities"]["credit"]
    assert {each["apr_type"] for each in card["aprs"]} == {
        "balance_transfer_apr", "cash_apr", "purchase_apr", "special",
    }  # fmt: skip
    assert str(card["last_statement_balance"]) == "1708.77"


def test_a_kind_of_debt_that_nobody_has_is_null(api: Any) -> None:
    access, _ = api.item("liabilities", override_username="user_transactions_dynamic")
    debts = api.post("/liabilities/get", access_token=access)["liabilities"]
    assert (debts["mortgage"], debts["student"]) == (None, None)
    assert (debts["loan"], debts["line_of_credit"]) == (None, None)
    assert len(debts["credit"]) == 1


@pytest.mark.parametrize(
    ("product", "path", "code"),
    [
        ("liabilities", "/liabilities/get", "NO_LIABILITY_ACCOUNTS"),
        ("auth", "/auth/get", "NO_AUTH_ACCOUNTS"),
    ],
)
def test_no_account_of_the_kind(api: Any, product: str, path: str, code: str) -> None:
    user = '{"override_accounts": [{"type": "investment", "subtype": "brokerage"}]}'
    access, _ = api.item(product, override_username="user_custom", override_password=user)
    assert api.post(path, access_token=access).error == (400, "ITEM_ERROR", code)


@pytest.mark.parametrize("path", ["/liabilities/get", "/auth/get", "/identity/get"])
def test_consent_comes_first(api: Any, path: str) -> None:
    access, _ = api.item("transactions")
    refused = api.post(path, access_token=access)
    assert refused.error == (400, "INVALID_INPUT", "ADDITIONAL_CONSENT_REQUIRED")


@pytest.mark.parametrize("path", ["/liabilities/get", "/auth/get", "/identity/get"])
def test_a_broken_login_answers_nothing(api: Any, path: str) -> None:
    access, _ = api.item("liabilities", "auth", "identity")
    api.post("/sandbox/item/reset_login", access_token=access)
    assert api.post(path, access_token=access).error == (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
    refused = api.post(path, access_token=access, options={"account_ids": ["nobody's"]})
    assert refused.error == (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")


def test_an_account_that_is_not_there(api: Any) -> None:
    access, _ = api.item("liabilities", "auth", "identity")
    for path in ("/liabilities/get", "/auth/get", "/identity/get"):
        refused = api.post(path, access_token=access, options={"account_ids": ["nobody's"]})
        assert refused.error == (400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")


@pytest.mark.parametrize(
    ("institution_id", "countries", "schemes"),
    [
        ("ins_109508", ["US"], {"ach"}),
        ("ins_43", ["CA"], {"eft"}),
        ("ins_117650", ["GB"], {"bacs", "international"}),
    ],
)
def test_numbers_are_of_the_banks_country(
    api: Any, bank: Any, institution_id: str, countries: list[str], schemes: set[str]
) -> None:
    token = api.link_token(products=["auth"], country_codes=countries)
    done = bank.control.complete_link(token, institution_id=institution_id)
    access = api.post("/item/public_token/exchange", public_token=done["public_token"])
    got = api.post("/auth/get", access_token=access["access_token"])
    assert {scheme for scheme, known in got["numbers"].items() if known} == schemes
    assert {each["subtype"] for each in got["accounts"]} == {
        "checking", "savings", "cash management",
    }  # fmt: skip


def test_the_sandboxs_numbers(api: Any) -> None:
    access, _ = api.item("auth")
    first = api.post("/auth/get", access_token=access)["numbers"]["ach"][0]
    assert (first["account"], first["routing"], first["wire_routing"]) == (
        "1111222233330000", "011401533", "021000021",
    )  # fmt: skip


def test_debts_and_holders_typed(typed: Any, api: Any) -> None:
    access, _ = api.item("liabilities", "auth", "identity")
    debts = typed.liabilities_get(LiabilitiesGetRequest(access_token=access)).liabilities
    assert debts.mortgage[0].interest_rate.type == "fixed"
    assert str(debts.loan[0].payment_frequency) == "monthly"
    assert debts.line_of_credit[0].available_credit == 50_000 - 13_500.50
    numbers = typed.auth_get(AuthGetRequest(access_token=access)).numbers
    assert len(numbers.ach) == 3
    owners = typed.identity_get(IdentityGetRequest(access_token=access)).accounts[0].owners
    assert owners[0].names == ["Alberta Bobbeth Charleson"]

"""Link tokens, Link sessions, update mode, consent."""

from typing import Any

import pytest

from platypus_bank.testing import ControlError

INVALID_FIELD = (400, "INVALID_REQUEST", "INVALID_FIELD")
INVALID_LINK_TOKEN = (400, "INVALID_INPUT", "INVALID_LINK_TOKEN")


def create(api: Any, **fields: Any) -> Any:
    body = {
        "client_name": "Tests",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "person-1"},
        "products": ["transactions"],
    }
    merged = {**body, **fields}
    given = {key: value for key, value in merged.items() if value is not ...}
    return api.post("/link/token/create", **given)


@pytest.mark.parametrize(
    "fields",
    [
        {"client_name": "x" * 31},
        {"client_name": ""},
        {"language": "tlh"},
        {"country_codes": []},
        {"country_codes": ["XX"]},
        {"user": {"client_user_id": ""}},
        {"user": {"client_user_id": "someone@example.com"}},
        {"user": {"client_user_id": "+14155550123"}},
        {"user": {"client_user_id": "(415) 555-0123"}},
        {"webhook": "not a url"},
        {"webhook": "ftp://example.com"},
        {"redirect_uri": "https://example.com/?a=b"},
        {"redirect_uri": "example.com"},
        {"transactions": {"days_requested": 731}},
        {"transactions": {"days_requested": 0}},
        {"transactions": {"days_requested": "90"}},
        {"optional_products": ["transactions"]},
        {"additional_consented_products": ["auth"], "required_if_supported_products": ["auth"]},
    ],
)
def test_bad_fields_are_refused(api: Any, fields: dict[str, Any]) -> None:
    assert create(api, **fields).error == INVALID_FIELD


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"language": ..., "client_name": ...}, "client_name, language"),
        ({"user": ...}, "user"),
        ({"user": {}}, "user.client_user_id"),
        ({"products": ...}, "products"),
    ],
)
def test_missing_fields_are_named(api: Any, fields: dict[str, Any], missing: str) -> None:
    answer = create(api, **fields)
    assert answer.error == (400, "INVALID_REQUEST", "MISSING_FIELDS")
    assert answer["error_message"] == f"the following required fields are missing: {missing}"


@pytest.mark.parametrize("product", ["balance", "recurring_transactions", "monitor", "mortgages"])
def test_some_products_cannot_be_asked_for(api: Any, product: str) -> None:
    assert create(api, products=[product]).error == (400, "INVALID_INPUT", "INVALID_PRODUCT")


def test_a_database_key_is_a_fine_user_id(api: Any) -> None:
    assert create(api, user={"client_user_id": "4155550123"}).status == 200


def test_redirect_uris_can_be_limited_to_a_list(api: Any, bank: Any) -> None:
    bank.control.settings(redirect_uris=["https://a.example/back"])
    assert create(api, redirect_uri="https://a.example/back").status == 200
    refused = create(api, redirect_uri="https://b.example/back")
    assert refused.error == INVALID_FIELD
    assert refused["error_message"] == (
        "OAuth redirect URI must be configured in the developer dashboard"
    )


def test_a_session_is_kept_for_six_hours(api: Any, bank: Any) -> None:
    token = api.link_token()
    assert api.post("/link/token/get", link_token=token)["link_sessions"] == []
    done = bank.control.complete_link(token, institution_id="ins_109511")
    shown = api.post("/link/token/get", link_token=token)
    assert shown["metadata"]["initial_products"] == ["transactions"]
    [session] = shown["link_sessions"]
    [result] = session["results"]["item_add_results"]
    assert result["public_token"] == done["public_token"]
    assert result["institution"] == {"institution_id": "ins_109511", "name": "Tartan Bank"}
    assert [each["mask"] for each in result["accounts"]][:2] == ["0000", "1111"]
    bank.control.advance(6 * 3600 + 1)
    assert api.post("/link/token/get", link_token=token)["link_sessions"] == []


def test_link_tokens_expire(api: Any, bank: Any) -> None:
    token = api.link_token()
    bank.control.advance(4 * 3600)
    with pytest.raises(ControlError) as refused:
        bank.control.complete_link(token)
    assert refused.value.body["error_code"] == "INVALID_LINK_TOKEN"
    unknown = "link-sandbox-00000000-0000-0000-0000-000000000000"
    assert api.post("/link/token/get", link_token=unknown).error == INVALID_LINK_TOKEN


@pytest.mark.parametrize(
    ("login", "code"),
    [
        ({"password": "wrong"}, "INVALID_CREDENTIALS"),
        ({"password": "error_ITEM_LOCKED"}, "ITEM_LOCKED"),
        ({"institution_id": "ins_0"}, "INVALID_INSTITUTION"),
        ({"institution_id": "ins_132361"}, "INSTITUTION_DOWN"),
        ({"institution_id": "ins_130016"}, "PRODUCTS_NOT_SUPPORTED"),
        ({"accounts": ["no such account"]}, "NO_ACCOUNTS"),
        ({"username": "user_custom", "password": '{"force_error": "INVALID_MFA"}'}, "INVALID_MFA"),
    ],
)
def test_link_fails_as_it_should(api: Any, bank: Any, login: dict[str, str], code: str) -> None:
    with pytest.raises(ControlError) as refused:
        bank.control.complete_link(api.link_token(), **login)
    assert refused.value.body["error_code"] == code
    assert bank.control.items() == []


def test_accounts_can_be_selected(api: Any, bank: Any) -> None:
    done = bank.control.complete_link(api.link_token(), accounts=["0000", "Plaid Saving"])
    access = exchange(api, done)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    assert [each["mask"] for each in accounts] == ["0000", "1111"]
    _, rows = api.pull(access)
    assert {row["account_id"] for row in rows.values()} == {each["account_id"] for each in accounts}


def test_account_filters_hide_other_types(api: Any, bank: Any) -> None:
    token = api.link_token(account_filters={"depository": {"account_subtypes": ["savings", "cd"]}})
    done = bank.control.complete_link(token)
    assert [each["subtype"] for each in done["accounts"]] == ["savings", "cd"]


def exchange(api: Any, done: Any) -> str:
    answer = api.post("/item/public_token/exchange", public_token=done["public_token"])
    return str(answer["access_token"])


def test_update_mode_repairs_the_item(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    cursor, _ = api.pull(access)
    api.post("/sandbox/item/reset_login", access_token=access)
    assert api.sync(access, cursor)["error_code"] == "ITEM_LOGIN_REQUIRED"
    token = api.link_token(access_token=access, products=None)
    done = bank.control.complete_link(token)
    assert api.sync(access, cursor).status == 200
    assert [each["item_id"] for each in bank.control.items()] == [item_id]
    again = api.post("/item/public_token/exchange", public_token=done["public_token"])
    assert again.error == (400, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN")


def test_update_mode_wants_the_right_password_and_lasts_half_an_hour(api: Any, bank: Any) -> None:
    access, _ = api.item()
    token = api.link_token(access_token=access, products=None)
    with pytest.raises(ControlError, match="INVALID_CREDENTIALS"):
        bank.control.complete_link(token, password="wrong")
    bank.control.advance(30 * 60)
    with pytest.raises(ControlError, match="INVALID_LINK_TOKEN"):
        bank.control.complete_link(token)


def test_update_mode_refuses_products(api: Any) -> None:
    access, _ = api.item()
    assert create(api, access_token=access).error == INVALID_FIELD


def test_update_mode_can_change_the_selection(api: Any, bank: Any) -> None:
    done = bank.control.complete_link(api.link_token(), accounts=["0000"])
    access = exchange(api, done)
    cursor, _ = api.pull(access)
    token = api.link_token(
        access_token=access, products=None, update={"account_selection_enabled": True}
    )
    bank.control.complete_link(token, accounts=["1111"])
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    assert [each["mask"] for each in accounts] == ["1111"]
    assert {row["account_id"] for row in api.pull(access, cursor)[1].values()} == {
        accounts[0]["account_id"]
    }


def test_a_product_without_consent_needs_update_mode(api: Any, bank: Any) -> None:
    access, _ = api.item("auth")
    refused = api.sync(access)
    assert refused.error == (400, "INVALID_INPUT", "ADDITIONAL_CONSENT_REQUIRED")
    assert refused["error_message"] == (
        "client does not have user consent to access the PRODUCT_TRANSACTIONS product"
    )
    token = api.link_token(
        access_token=access, products=None, additional_consented_products=["transactions"]
    )
    bank.control.complete_link(token)
    assert api.sync(access).status == 200


def test_a_consented_product_starts_on_first_use(api: Any, bank: Any) -> None:
    token = api.link_token(products=["auth"], additional_consented_products=["transactions"])
    access = exchange(api, bank.control.complete_link(token))
    before = api.post("/item/get", access_token=access)["item"]
    assert before["billed_products"] == ["auth"]
    assert before["consented_products"] == ["auth", "transactions"]
    assert "transactions" in before["available_products"]
    assert api.sync(access).status == 200
    after = api.post("/item/get", access_token=access)["item"]
    assert after["billed_products"] == after["products"] == ["auth", "transactions"]
    assert "transactions" not in after["available_products"]

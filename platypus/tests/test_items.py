"""/item/* and the ways a call about an Item can be refused."""

from typing import Any

import pytest

NOWHERE = "00000000-0000-0000-0000-000000000000"
BAD_PUBLIC_TOKEN = (400, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN")
BAD_ACCESS_TOKEN = (400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN")


@pytest.fixture
def public_token(api: Any) -> str:
    made = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
    )
    return str(made["public_token"])


def exchange(api: Any, public_token: str) -> Any:
    return api.post("/item/public_token/exchange", public_token=public_token)


def test_exchange_twice_gives_the_same_by_default(api: Any, public_token: str) -> None:
    first, second = exchange(api, public_token), exchange(api, public_token)
    assert first["access_token"] == second["access_token"]
    assert first["item_id"] == second["item_id"]


def test_rotate_gives_two_tokens_of_one_item(api: Any, bank: Any, public_token: str) -> None:
    bank.control.settings(exchange_mode="rotate")
    first, second = exchange(api, public_token), exchange(api, public_token)
    assert first["access_token"] != second["access_token"]
    assert first["item_id"] == second["item_id"]
    for each in (first, second):
        assert api.post("/item/get", access_token=each["access_token"]).status == 200


def test_strict_refuses_the_second_exchange(api: Any, bank: Any, public_token: str) -> None:
    bank.control.settings(exchange_mode="strict")
    assert exchange(api, public_token).status == 200
    assert exchange(api, public_token).error == BAD_PUBLIC_TOKEN


def test_public_tokens_expire(api: Any, bank: Any, public_token: str) -> None:
    bank.control.advance(30 * 60)
    refused = exchange(api, public_token)
    assert refused.error == BAD_PUBLIC_TOKEN
    assert "Public tokens expire 30 minutes after creation" in refused["error_message"]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (f"public-sandbox-{NOWHERE}", "could not find matching public token"),
        (
            "nonsense",
            (
                "provided public token is in an invalid format. "
                "expected format: public-<environment>-<identifier>"
            ),
        ),
    ],
)
def test_bad_public_tokens(api: Any, token: str, message: str) -> None:
    refused = exchange(api, token)
    assert refused.error == BAD_PUBLIC_TOKEN
    assert refused["error_message"] == message


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (f"access-sandbox-{NOWHERE}", "could not find matching access token"),
        (
            "nonsense",
            (
                "provided access token is in an invalid format. "
                "expected format: access-<environment>-<identifier>"
            ),
        ),
        (
            f"access-production-{NOWHERE}",
            (
                "provided access token is for the wrong Plaid environment. "
                'expected "sandbox", got "production"'
            ),
        ),
    ],
)
@pytest.mark.parametrize("path", ["/item/get", "/accounts/get", "/transactions/sync"])
def test_bad_access_tokens(api: Any, path: str, token: str, message: str) -> None:
    refused = api.post(path, access_token=token)
    assert refused.error == BAD_ACCESS_TOKEN
    assert refused["error_message"] == message


def test_a_removed_item_is_gone(api: Any) -> None:
    access, _ = api.item()
    assert api.post("/item/remove", access_token=access).status == 200
    for path in ("/item/get", "/item/remove", "/accounts/get", "/transactions/sync"):
        answer = api.post(path, access_token=access)
        assert answer.error == (400, "ITEM_ERROR", "ITEM_NOT_FOUND")


def test_a_broken_item_still_shows_itself(api: Any) -> None:
    access, _ = api.item()
    api.post("/sandbox/item/reset_login", access_token=access)
    shown = api.post("/item/get", access_token=access)
    assert shown["item"]["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
    for path in ("/accounts/get", "/accounts/balance/get", "/transactions/refresh"):
        answer = api.post(path, access_token=access)
        assert answer.error == (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")


def test_webhook_update(api: Any) -> None:
    access, _ = api.item()
    hook = "https://example.com/hook"
    api.post("/item/webhook/update", access_token=access, webhook=hook)
    assert api.post("/item/get", access_token=access)["item"]["webhook"] == hook
    refused = api.post("/item/webhook/update", access_token=access, webhook="hook")
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_status_tells_the_last_update(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    first = api.post("/item/get", access_token=access)["status"]["transactions"]
    assert first["last_successful_update"] is not None
    bank.control.advance(60)
    bank.control.changes(item_id, added=[{}])
    second = api.post("/item/get", access_token=access)["status"]["transactions"]
    assert second["last_successful_update"] > first["last_successful_update"]
    no_transactions, _ = api.item("auth")
    assert api.post("/item/get", access_token=no_transactions)["status"] is None

"""What befalls Items: the state it leaves, the answers it causes, the webhook that tells it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from platypus_bank.access import LASTING_ERRORS
from platypus_bank.testing import ControlError

LOGIN_REQUIRED = (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
REVOKED = (400, "INVALID_INPUT", "USER_PERMISSION_REVOKED")
WEEK = timedelta(days=7)


@pytest.fixture
def item(api: Any, receiver: Any) -> tuple[str, str]:
    """An Item whose first webhooks are out of the way: access token, id."""
    access, item_id = api.item(webhook=receiver.url)
    api.pull(access)
    receiver.wait(2)
    receiver.received.clear()
    return access, item_id


def shown(api: Any, access: str) -> dict[str, Any]:
    answer = api.post("/item/get", access_token=access)
    assert answer.status == 200
    found: dict[str, Any] = answer["item"]
    return found


def update_mode(api: Any, access: str, **fields: Any) -> Any:
    return api.post(
        "/link/token/create",
        client_name="Tests",
        language="en",
        country_codes=["US"],
        user={"client_user_id": "person-1"},
        access_token=access,
        **fields,
    )


def test_reset_login_is_told(api: Any, item: Any, receiver: Any, read_webhook: Any) -> None:
    access, item_id = item
    api.post("/sandbox/item/reset_login", access_token=access)
    [got] = receiver.wait(1)
    told = read_webhook("item_error_webhook", got)
    assert (told.webhook_type, told.webhook_code, told.item_id) == ("ITEM", "ERROR", item_id)
    assert (str(told.error.error_type), told.error.error_code) == LOGIN_REQUIRED[1:]
    assert told.error.status == 400
    assert "request_id" not in got.json["error"]
    assert shown(api, access)["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert api.sync(access).error == LOGIN_REQUIRED


def test_a_reason_is_shown(api: Any, item: Any, bank: Any, receiver: Any) -> None:
    access, item_id = item
    bank.control.break_login(item_id, "OAUTH_INVALID_TOKEN")
    assert receiver.wait(1)[0].json["error"]["error_code_reason"] == "OAUTH_INVALID_TOKEN"
    assert shown(api, access)["error"]["error_code_reason"] == "OAUTH_INVALID_TOKEN"


@pytest.mark.parametrize("code", sorted(LASTING_ERRORS.keys() - {"USER_PERMISSION_REVOKED"}))
def test_every_lasting_error(api: Any, item: Any, bank: Any, receiver: Any, code: str) -> None:
    """It is told, shown and answered until update mode repairs it."""
    access, item_id = item
    bank.control.break_login(item_id, error_code=code)
    assert receiver.wait(1)[0].json["error"]["error_code"] == code
    assert shown(api, access)["error"]["error_code"] == code
    assert api.sync(access).error == (400, "ITEM_ERROR", code)
    bank.control.complete_link(update_mode(api, access)["link_token"])
    assert api.sync(access).status == 200


@pytest.mark.parametrize("code", ["USER_PERMISSION_REVOKED", "PRODUCT_NOT_READY", "ODD", ""])
def test_other_errors_do_not_last(api: Any, bank: Any, code: str) -> None:
    _, item_id = api.item()
    with pytest.raises(ControlError, match="no error that lasts"):
        bank.control.break_login(item_id, error_code=code)


def test_a_repair_elsewhere_is_told(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    bank.control.repair(item_id)  # nothing was broken
    bank.control.break_login(item_id)
    bank.control.repair(item_id)
    assert {each.code for each in receiver.wait(2)} == {"ERROR", "LOGIN_REPAIRED"}
    [repaired] = [each for each in receiver.received if each.code == "LOGIN_REPAIRED"]
    assert read_webhook("item_login_repaired_webhook", repaired).item_id == item_id
    assert shown(api, access)["error"] is None
    assert api.sync(access).status == 200


def test_our_own_update_mode_is_not_told(api: Any, item: Any, bank: Any) -> None:
    access, item_id = item
    bank.control.break_login(item_id)
    bank.control.complete_link(update_mode(api, access)["link_token"])
    assert [each["webhook_code"] for each in bank.control.webhooks()][2:] == ["ERROR"]
    assert shown(api, access)["error"] is None


def test_a_revoked_item_still_shows_itself(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    bank.control.revoke(item_id)
    [got] = receiver.wait(1)
    told = read_webhook("user_permission_revoked_webhook", got)
    assert (str(told.error.error_type), told.error.error_code, told.item_id) == (
        "ITEM_ERROR", "USER_PERMISSION_REVOKED", item_id,
    )  # fmt: skip
    assert shown(api, access)["error"]["error_code"] == "USER_PERMISSION_REVOKED"
    for path in ("/transactions/sync", "/accounts/get", "/accounts/balance/get"):
        assert api.post(path, access_token=access).error == REVOKED
    bank.control.complete_link(update_mode(api, access)["link_token"])
    assert shown(api, access)["error"] is None
    assert api.sync(access).status == 200


def test_some_revocations_are_final(api: Any, item: Any, bank: Any) -> None:
    access, item_id = item
    bank.control.revoke(item_id, update_mode=False)
    assert update_mode(api, access).error == REVOKED
    assert api.post("/item/remove", access_token=access).status == 200


def test_one_account_is_revoked_and_granted_again(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    first, *others = api.post("/accounts/get", access_token=access)["accounts"]
    bank.control.revoke(item_id, account_id=first["account_id"])
    told = read_webhook("user_account_revoked_webhook", receiver.wait(1)[0])
    assert told.account_id == first["account_id"]
    assert api.post("/accounts/get", access_token=access)["accounts"] == others
    token = update_mode(api, access, update={"account_selection_enabled": True})["link_token"]
    bank.control.complete_link(token, accounts=[first["account_id"]])
    assert api.post("/accounts/get", access_token=access)["accounts"] == [first]
    with pytest.raises(ControlError, match="no account"):
        bank.control.revoke(item_id, account_id="nobody")


def test_a_new_account_can_be_shared(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    before = api.post("/accounts/get", access_token=access)["accounts"]
    made = bank.control.new_account(item_id, name="Plaid Vacation", mask="7777")
    told = read_webhook("new_accounts_available_webhook", receiver.wait(1)[0])
    assert (told.item_id, told.error) == (item_id, None)
    assert api.post("/accounts/get", access_token=access)["accounts"] == before
    token = update_mode(api, access, update={"account_selection_enabled": True})["link_token"]
    bank.control.complete_link(token, accounts=[made["account_id"]])
    [after] = api.post("/accounts/get", access_token=access)["accounts"]
    assert (after["account_id"], after["name"]) == (made["account_id"], "Plaid Vacation")


def test_consent_ends_a_week_after_it_is_told(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    now = datetime.fromisoformat(bank.control.clock()["now"])
    bank.control.expire(item_id)
    told = read_webhook("pending_expiration_webhook", receiver.wait(1)[0])
    assert abs(told.consent_expiration_time - now - WEEK) < timedelta(seconds=5)
    ends = datetime.fromisoformat(shown(api, access)["consent_expiration_time"])
    assert ends == told.consent_expiration_time
    assert api.sync(access).status == 200
    bank.control.advance(7 * 86_400)
    error = next(each for each in receiver.wait(2) if each.code == "ERROR").json["error"]
    assert error["error_code_reason"] == "OAUTH_CONSENT_EXPIRED"
    assert api.sync(access).error == LOGIN_REQUIRED
    bank.control.complete_link(update_mode(api, access)["link_token"])
    renewed = datetime.fromisoformat(shown(api, access)["consent_expiration_time"])
    assert renewed > ends + WEEK


def test_a_disconnection_comes_a_week_after_it_is_told(
    api: Any, item: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    bank.control.disconnect(item_id, reason="INSTITUTION_TOKEN_EXPIRATION")
    told = read_webhook("pending_disconnect_webhook", receiver.wait(1)[0])
    assert str(told.reason) == "INSTITUTION_TOKEN_EXPIRATION"
    assert shown(api, access)["consent_expiration_time"] is None
    bank.control.advance(7 * 86_400)
    receiver.wait(2)
    assert api.sync(access).error == LOGIN_REQUIRED


def test_update_mode_in_time_prevents_it(api: Any, item: Any, bank: Any) -> None:
    access, item_id = item
    bank.control.disconnect(item_id, seconds=600)
    bank.control.complete_link(update_mode(api, access)["link_token"])
    bank.control.advance(600)
    assert api.sync(access).status == 200


def test_a_login_ends_by_itself(api: Any, bank: Any) -> None:
    """By the clock alone, also where no webhook is set."""
    _, item_id = api.item()
    bank.control.disconnect(item_id, seconds=0.2)
    bank.control.advance(1)
    [known] = bank.control.items()
    assert (known["error_code"], known["breaks_at"]) == ("ITEM_LOGIN_REQUIRED", None)


def test_a_login_lives_for_thirty_days(api: Any, item: Any, bank: Any, receiver: Any) -> None:
    """As in the Sandbox; update mode gives it as many again."""
    access, _ = item
    days = 30 * 86_400
    bank.control.advance(days - 60)
    assert api.sync(access).status == 200
    bank.control.advance(60)
    assert api.sync(access).error == LOGIN_REQUIRED
    assert receiver.wait(1)[0].code == "ERROR"
    bank.control.complete_link(update_mode(api, access)["link_token"])
    bank.control.advance(days - 60)
    assert api.sync(access).status == 200
    bank.control.settings(login_days=None)
    bank.control.advance(10 * days)
    assert api.sync(access).status == 200


def test_a_webhook_url_is_acknowledged_at_the_new_one(
    api: Any, item: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = item
    url = receiver.url + "/new"
    api.post("/item/webhook/update", access_token=access, webhook=url)
    told = read_webhook("webhook_update_acknowledged_webhook", receiver.wait(1)[0])
    assert (told.item_id, told.new_webhook_url, told.error) == (item_id, url, None)
    api.post("/item/webhook/update", access_token=access, webhook=None)
    assert shown(api, access)["webhook"] is None


def test_the_last_webhook_is_shown(api: Any, bank: Any, receiver: Any) -> None:
    """When it was fired, whether or not it came through."""
    access, item_id = api.item("auth")
    assert api.post("/item/get", access_token=access)["status"] is None
    access, item_id = api.item(webhook=receiver.url)
    bank.control.advance(60)
    bank.control.trouble(drop=True)
    bank.control.break_login(item_id)
    last = api.post("/item/get", access_token=access)["status"]["last_webhook"]
    assert last["code_sent"] == "ERROR"
    sent_at = datetime.fromisoformat(last["sent_at"])
    now = datetime.fromisoformat(bank.control.clock()["now"])
    assert timedelta() <= now - sent_at < timedelta(seconds=5)
    failed = api.post("/item/get", access_token=access)["status"]["transactions"]
    assert failed["last_failed_update"] > failed["last_successful_update"]


def test_another_access_token(api: Any) -> None:
    """The old one is invalid at once, also where its public token is exchanged again; cursors stay."""
    made = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
    )["public_token"]
    old = api.post("/item/public_token/exchange", public_token=made)["access_token"]
    cursor, _ = api.pull(old)
    new = api.post("/item/access_token/invalidate", access_token=old)["new_access_token"]
    refused = api.post("/item/get", access_token=old)
    assert refused.error == (400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN")
    page = api.sync(new, cursor)
    assert (page.status, page["added"]) == (200, [])
    again = api.post("/item/public_token/exchange", public_token=made)
    assert again["access_token"] == new

"""/sandbox/item/fire_webhook: every code, in the shape that plaid-python reads."""

from typing import Any

import pytest
from plaid.model.sandbox_item_fire_webhook_request import SandboxItemFireWebhookRequest
from plaid.model.webhook_type import WebhookType

from platypus_bank.webhooks.firable import FIRABLE

MODELS = {
    ("AUTH", "DEFAULT_UPDATE"): "auth_default_update_webhook",
    ("AUTH", "SMS_MICRODEPOSITS_VERIFICATION"): "hosted_mmd_verification_webhook",
    ("ASSETS", "ERROR"): "assets_error_webhook",
    ("ASSETS", "PRODUCT_READY"): "assets_product_ready_webhook",
    ("HOLDINGS", "DEFAULT_UPDATE"): "holdings_default_update_webhook",
    ("IDENTITY", "DEFAULT_UPDATE"): "identity_default_update_webhook",
    ("INVESTMENTS_TRANSACTIONS", "DEFAULT_UPDATE"): "investments_default_update_webhook",
    ("ITEM", "AUTHORIZATION_GRANTED"): None,  # no schema
    ("ITEM", "LOGIN_REPAIRED"): "item_login_repaired_webhook",
    ("ITEM", "NEW_ACCOUNTS_AVAILABLE"): "new_accounts_available_webhook",
    ("ITEM", "PENDING_DISCONNECT"): "pending_disconnect_webhook",
    ("ITEM", "USER_ACCOUNT_REVOKED"): "user_account_revoked_webhook",
    ("ITEM", "USER_PERMISSION_REVOKED"): "user_permission_revoked_webhook",
    ("LIABILITIES", "DEFAULT_UPDATE"): "liabilities_default_update_webhook",
    ("TRANSACTIONS", "DEFAULT_UPDATE"): "default_update_webhook",
    ("TRANSACTIONS", "RECURRING_TRANSACTIONS_UPDATE"): "recurring_transactions_update_webhook",
    ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"): "sync_updates_available_webhook",
}
# The keys of the OpenAPI file's x-examples beside webhook_type, webhook_code, environment; user_id
# and error are optional wherever they are not required.
KEYS = {
    ("AUTH", "DEFAULT_UPDATE"): {
        "item_id", "error", "account_ids_with_new_auth", "account_ids_with_updated_auth",
    },
    ("AUTH", "SMS_MICRODEPOSITS_VERIFICATION"): {"item_id", "account_id", "status"},
    ("ASSETS", "ERROR"): {"asset_report_id", "error"},
    ("ASSETS", "PRODUCT_READY"): {"asset_report_id", "report_type"},
    ("HOLDINGS", "DEFAULT_UPDATE"): {"item_id", "error", "new_holdings", "updated_holdings"},
    ("IDENTITY", "DEFAULT_UPDATE"): {"item_id", "error", "account_ids_with_updated_identity"},
    ("INVESTMENTS_TRANSACTIONS", "DEFAULT_UPDATE"): {
        "item_id", "error", "new_investments_transactions", "cancelled_investments_transactions",
    },
    ("ITEM", "AUTHORIZATION_GRANTED"): {"item_id"},
    ("ITEM", "LOGIN_REPAIRED"): {"item_id"},
    ("ITEM", "NEW_ACCOUNTS_AVAILABLE"): {"item_id", "error"},
    ("ITEM", "PENDING_DISCONNECT"): {"item_id", "reason", "disconnect_time"},
    ("ITEM", "USER_ACCOUNT_REVOKED"): {"item_id", "account_id"},
    ("ITEM", "USER_PERMISSION_REVOKED"): {"item_id", "error"},
    ("LIABILITIES", "DEFAULT_UPDATE"): {
        "item_id", "error", "account_ids_with_new_liabilities",
        "account_ids_with_updated_liabilities",
    },
    ("TRANSACTIONS", "DEFAULT_UPDATE"): {"item_id", "error", "new_transactions"},
    ("TRANSACTIONS", "RECURRING_TRANSACTIONS_UPDATE"): {"item_id", "account_ids"},
    ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"): {
        "item_id", "initial_update_complete", "historical_update_complete",
    },
}  # fmt: skip
PRODUCTS = ("transactions", "auth", "identity", "investments", "liabilities", "assets")
NOT_ENABLED = (400, "SANDBOX_ERROR", "SANDBOX_PRODUCT_NOT_ENABLED")
WEBHOOK_INVALID = (400, "SANDBOX_ERROR", "SANDBOX_WEBHOOK_INVALID")
INVALID_FIELD = (400, "INVALID_REQUEST", "INVALID_FIELD")


def fire(api: Any, access: str, code: str, kind: str | None = None, **fields: Any) -> Any:
    named = {} if kind is None else {"webhook_type": kind}
    return api.post(
        "/sandbox/item/fire_webhook", access_token=access, webhook_code=code, **named, **fields
    )


def test_every_code_has_a_test() -> None:
    known = {(each.kind, code) for code, firables in FIRABLE.items() for each in firables}
    assert set(MODELS) == set(KEYS) == known


@pytest.mark.parametrize(("kind", "code"), sorted(MODELS))
def test_every_body_has_plaids_shape(  # noqa: PLR0917 - fixtures
    api: Any, bank: Any, receiver: Any, read_webhook: Any, kind: str, code: str
) -> None:
    bank.control.settings(initial_update_seconds="held", historical_update_seconds="held")
    access, item_id = api.item(*PRODUCTS, webhook=receiver.url)
    assert fire(api, access, code, kind)["webhook_fired"] is True
    [got] = receiver.wait(1)
    assert set(got.json) == KEYS[kind, code] | {"webhook_type", "webhook_code", "environment"}
    assert (got.json["webhook_type"], got.json["webhook_code"]) == (kind, code)
    assert got.json["environment"] == "sandbox"
    assert got.json.get("item_id", item_id) == item_id
    model = MODELS[kind, code]
    if model is not None:
        assert read_webhook(model, got).webhook_code == code


def test_named_accounts_are_the_items_own(api: Any, receiver: Any) -> None:
    access, _ = api.item(*PRODUCTS, webhook=receiver.url)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    receiver.wait(2)
    fire(api, access, "USER_ACCOUNT_REVOKED")
    fire(api, access, "RECURRING_TRANSACTIONS_UPDATE")
    told = {each.code: each.json for each in receiver.wait(4)}
    assert told["USER_ACCOUNT_REVOKED"]["account_id"] == accounts[0]["account_id"]
    recurring = told["RECURRING_TRANSACTIONS_UPDATE"]["account_ids"]
    assert recurring
    assert set(recurring) <= {each["account_id"] for each in accounts}


def test_firing_changes_nothing_but_the_last_webhook(api: Any, receiver: Any) -> None:
    access, _ = api.item(webhook=receiver.url)
    cursor, _ = api.pull(access)
    before = api.post("/item/get", access_token=access)
    for code in ("USER_PERMISSION_REVOKED", "PENDING_DISCONNECT", "SYNC_UPDATES_AVAILABLE"):
        fire(api, access, code)
    after = api.post("/item/get", access_token=access)
    assert after["item"] == before["item"]
    assert after["status"]["last_webhook"]["code_sent"] == "SYNC_UPDATES_AVAILABLE"
    assert api.sync(access, cursor)["added"] == []


def test_the_count_can_be_chosen(api: Any, receiver: Any) -> None:
    access, _ = api.item(webhook=receiver.url)
    receiver.wait(2)
    fire(api, access, "DEFAULT_UPDATE", options={"new_transactions": 7})
    last = receiver.wait(3)[-1].json
    assert (last["webhook_type"], last["new_transactions"]) == ("TRANSACTIONS", 7)


def test_refusals(api: Any, receiver: Any) -> None:
    access, _ = api.item(webhook=receiver.url)
    refused = fire(api, access, "DEFAULT_UPDATE", "LIABILITIES")
    assert refused.error == NOT_ENABLED
    assert refused["error_message"] == "The liabilities product is not enabled on this item"
    assert fire(api, access, "PRODUCT_READY").error == NOT_ENABLED
    assert fire(api, access, "NO_SUCH_CODE").error == INVALID_FIELD
    assert fire(api, access, "LOGIN_REPAIRED", "AUTH").error == INVALID_FIELD
    silent, _ = api.item()
    assert fire(api, silent, "SYNC_UPDATES_AVAILABLE").error == WEBHOOK_INVALID


def test_fired_through_the_typed_client(api: Any, typed: Any, receiver: Any) -> None:
    access, _ = api.item(webhook=receiver.url)
    request = SandboxItemFireWebhookRequest(
        access_token=access,
        webhook_type=WebhookType("TRANSACTIONS"),
        webhook_code="SYNC_UPDATES_AVAILABLE",
    )
    assert typed.sandbox_item_fire_webhook(request).webhook_fired is True

"""Every endpoint, both ways: the typed client accepts the answer, and the raw keys are Plaid's."""

from datetime import date, datetime
from typing import Any

import pytest
from plaid.model.accounts_balance_get_request import AccountsBalanceGetRequest
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.institutions_get_by_id_request import InstitutionsGetByIdRequest
from plaid.model.institutions_get_by_id_request_options import InstitutionsGetByIdRequestOptions
from plaid.model.institutions_get_request import InstitutionsGetRequest
from plaid.model.institutions_search_request import InstitutionsSearchRequest
from plaid.model.item_access_token_invalidate_request import ItemAccessTokenInvalidateRequest
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.item_webhook_update_request import ItemWebhookUpdateRequest
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.products import Products
from plaid.model.sandbox_item_reset_login_request import SandboxItemResetLoginRequest
from plaid.model.sandbox_public_token_create_request import SandboxPublicTokenCreateRequest
from plaid.model.transactions_get_request import TransactionsGetRequest
from plaid.model.transactions_refresh_request import TransactionsRefreshRequest
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

TRANSACTION_KEYS = {
    "account_id", "account_owner", "amount", "authorized_date", "authorized_datetime",
    "check_number", "counterparties", "date", "datetime", "iso_currency_code", "location",
    "logo_url", "merchant_entity_id", "merchant_name", "name", "payment_channel", "payment_meta",
    "pending", "pending_transaction_id", "personal_finance_category",
    "personal_finance_category_icon_url", "transaction_code", "transaction_id",
    "transaction_type", "unofficial_currency_code", "website",
}  # fmt: skip
ITEM_KEYS = {
    "auth_method", "available_products", "billed_products", "consent_expiration_time",
    "consented_products", "error", "institution_id", "institution_name", "item_id", "products",
    "update_type", "webhook",
}  # fmt: skip


@pytest.fixture
def token(api: Any) -> str:
    return str(api.item()[0])


def test_link_typed(typed: Any, bank: Any) -> None:
    made = typed.link_token_create(
        LinkTokenCreateRequest(
            client_name="Tests",
            language="en",
            country_codes=[CountryCode("US")],
            user=LinkTokenCreateRequestUser(client_user_id="person-1"),
            products=[Products("transactions")],
        )
    )
    assert made.link_token.startswith("link-sandbox-")
    now = datetime.fromisoformat(bank.control.clock()["now"])
    assert (made.expiration - now).total_seconds() == pytest.approx(4 * 3600, abs=5)
    done = bank.control.complete_link(made.link_token)
    shown = typed.link_token_get(LinkTokenGetRequest(link_token=made.link_token))
    session = shown.link_sessions[0]
    assert session.link_session_id == done["link_session_id"]
    assert session.finished_at is not None
    result = session.results.item_add_results[0]
    assert result.public_token == done["public_token"]
    assert [each.id for each in result.accounts] == [each["id"] for each in done["accounts"]]


def test_items_typed(typed: Any) -> None:
    public = typed.sandbox_public_token_create(
        SandboxPublicTokenCreateRequest(
            institution_id="ins_109508", initial_products=[Products("transactions")]
        )
    ).public_token
    exchanged = typed.item_public_token_exchange(
        ItemPublicTokenExchangeRequest(public_token=public)
    )
    access = exchanged.access_token
    got = typed.item_get(ItemGetRequest(access_token=access))
    assert got.item.item_id == exchanged.item_id
    assert got.status.transactions is not None
    updated = typed.item_webhook_update(
        ItemWebhookUpdateRequest(access_token=access, webhook="https://example.com/hook")
    )
    assert updated.item.webhook == "https://example.com/hook"
    assert typed.sandbox_item_reset_login(
        SandboxItemResetLoginRequest(access_token=access)
    ).reset_login
    broken = typed.item_get(ItemGetRequest(access_token=access)).item
    assert broken.error.error_code == "ITEM_LOGIN_REQUIRED"
    assert typed.item_remove(ItemRemoveRequest(access_token=access)).request_id


def test_webhooks_typed(typed: Any, bank: Any, token: str) -> None:
    key_id = bank.control.rotate_key()
    bank.control.rotate_key(expire_old=True)
    key = typed.webhook_verification_key_get(WebhookVerificationKeyGetRequest(key_id=key_id)).key
    assert (key.alg, key.kid) == ("ES256", key_id)
    assert key.expired_at >= key.created_at
    update = ItemWebhookUpdateRequest(access_token=token, webhook="http://127.0.0.1:9/")
    typed.item_webhook_update(update)
    status = typed.item_get(ItemGetRequest(access_token=token)).status
    assert status.last_webhook.code_sent == "WEBHOOK_UPDATE_ACKNOWLEDGED"
    assert status.last_webhook.sent_at is not None
    request = ItemAccessTokenInvalidateRequest(access_token=token)
    assert typed.item_access_token_invalidate(request).new_access_token != token


def test_accounts_typed(typed: Any, token: str) -> None:
    accounts = typed.accounts_get(AccountsGetRequest(access_token=token)).accounts
    assert len(accounts) == 14
    live = typed.accounts_balance_get(AccountsBalanceGetRequest(access_token=token))
    assert live.accounts[0].balances.available == 100


def test_transactions_typed(typed: Any, token: str) -> None:
    page = typed.transactions_sync(TransactionsSyncRequest(access_token=token, count=500))
    assert len(page.added) == 388
    assert str(page.transactions_update_status) == "HISTORICAL_UPDATE_COMPLETE"
    got = typed.transactions_get(
        TransactionsGetRequest(
            access_token=token, start_date=date(2000, 1, 1), end_date=date(2100, 1, 1)
        )
    )
    assert got.total_transactions == 388
    assert typed.transactions_refresh(TransactionsRefreshRequest(access_token=token)).request_id


def test_dynamic_rows_typed(typed: Any, api: Any) -> None:
    access, _ = api.item(
        override_username="user_transactions_dynamic", override_password="anything"
    )
    page = typed.transactions_sync(TransactionsSyncRequest(access_token=access, count=500))
    assert {row.pending for row in page.added} == {True, False}


def test_institutions_typed(typed: Any) -> None:
    us = [CountryCode("US")]
    one = typed.institutions_get_by_id(
        InstitutionsGetByIdRequest(
            institution_id="ins_109508",
            country_codes=us,
            options=InstitutionsGetByIdRequestOptions(
                include_optional_metadata=True, include_status=True
            ),
        )
    ).institution
    assert one.name == "First Platypus Bank"
    assert one.status.item_logins.status == "HEALTHY"
    some = typed.institutions_search(InstitutionsSearchRequest(query="Tart", country_codes=us))
    assert [each.institution_id for each in some.institutions] == ["ins_109511"]
    every = typed.institutions_get(InstitutionsGetRequest(count=3, offset=1, country_codes=us))
    assert len(every.institutions) == 3
    assert every.total > 10


def test_raw_shapes(api: Any, token: str) -> None:
    page = api.sync(token)
    assert set(page.body) == {
        "accounts", "added", "has_more", "modified", "next_cursor", "removed", "request_id",
        "transactions_update_status",
    }  # fmt: skip
    assert set(page["added"][0]) == TRANSACTION_KEYS
    assert set(api.post("/item/get", access_token=token)["item"]) == ITEM_KEYS | {"created_at"}
    got = api.post("/accounts/get", access_token=token)
    assert set(got.body) == {"accounts", "item", "request_id"}
    assert set(got["item"]) == ITEM_KEYS
    assert set(got["accounts"][0]["balances"]) == {
        "available", "current", "iso_currency_code", "limit", "unofficial_currency_code",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "fields", "keys"),
    [
        ("/item/access_token/invalidate", {}, {"new_access_token"}),
        ("/item/webhook/update", {"webhook": None}, {"item"}),
        ("/transactions/refresh", {}, set()),
        ("/sandbox/item/reset_login", {}, {"reset_login"}),
        ("/item/remove", {}, set()),
        ("/accounts/balance/get", {}, {"accounts", "item"}),
        (
            "/transactions/get",
            {"start_date": "2020-01-01", "end_date": "2030-01-01"},
            {"accounts", "item", "total_transactions", "transactions"},
        ),
    ],
)
def test_raw_keys(api: Any, token: str, path: str, fields: dict[str, Any], keys: set[str]) -> None:
    answer = api.post(path, access_token=token, **fields)
    assert answer.status == 200
    assert set(answer.body) == keys | {"request_id"}
    assert len(answer["request_id"]) == 15


def test_ids_have_plaids_shape(api: Any) -> None:
    access, item_id = api.item()
    row = api.sync(access)["added"][0]
    for each in (item_id, row["transaction_id"], row["account_id"]):
        assert len(each) == 37
        assert each.isalnum()
        assert each not in (each.lower(), each.upper())

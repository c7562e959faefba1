"""The client on the wire: exact answers, typed errors, one call each, and an end to every wait."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.core.errors import PlaidRefusedError, PlaidUnreachableError
from bankloom.core.settings import PlaidSettings
from bankloom.services import plaid_connections
from bankloom.services.plaid_client import PlaidClient, decode_transaction
from scenes import ask_plaid, bank_account, person, sandbox_public_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway import Gateway
    from platypus_bank.testing import Running

SYNC = "/transactions/sync"


def client_of(url: str, **more: Any) -> PlaidClient:
    settings = PlaidSettings(
        client_id="test-client", secret="test-secret", base_url=url, _env_file=None, **more
    )
    return PlaidClient(settings)


@pytest.fixture
def client(bank: Running) -> Iterator[PlaidClient]:
    with closing(client_of(bank.url)) as client:
        yield client


@pytest.fixture
def access_token(client: PlaidClient, bank: Running) -> str:
    """The token of a person with one account and no transactions."""
    public_token = sandbox_public_token(
        bank,
        override_username=person()["username"],
        override_password=person(bank_account(starting_balance=12.5))["password"],
    )
    return client.public_token_exchange(public_token).access_token


def test_a_refusal_is_typed(client: PlaidClient, bank: Running, access_token: str) -> None:
    """Plaid's type, code and request_id arrive; it was asked once; and no token is in the text."""
    bank.control.forget_calls()
    planted = {"status": 500, "error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}
    bank.control.fault(SYNC, error=planted)
    with pytest.raises(PlaidRefusedError) as caught:
        client.transactions_sync(access_token, "")
    (call,) = bank.control.calls()
    error = caught.value
    assert (error.error_type, error.error_code) == ("API_ERROR", "INTERNAL_SERVER_ERROR")
    assert (error.http_status, error.request_id) == (500, call["request_id"])
    assert access_token not in f"{error!r} {error.body()}"


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"drop_after_effect": True},
        {"body": "<html>not JSON</html>"},
        {"body": '{"added": [], "modified": [], "removed": [], "next_cur'},
        {"body": '{"added": [], "modified": [], "removed": [], "has_more": false}'},
        {"body": ""},
        {"body": "[]"},
    ],
)
def test_no_readable_answer_is_unreachable(
    client: PlaidClient, bank: Running, access_token: str, fault: dict[str, Any]
) -> None:
    """A dropped connection, a foreign page, half an answer: one error, after exactly one call."""
    bank.control.forget_calls()
    bank.control.fault(SYNC, **fault)
    with pytest.raises(PlaidUnreachableError):
        client.transactions_sync(access_token, "")
    assert len(bank.control.calls()) == 1
    assert client.transactions_sync(access_token, "").added == []


@pytest.mark.parametrize(
    ("status", "body", "promised_bytes"),
    [
        (502, b"<html><h1>Bad Gateway</h1></html>", None),
        (503, b"", None),
        (429, b"slow down", None),
        (500, b'{"error": "not in the shape of Plaid"}', None),
        (400, b"\xff\xfe", None),
        (200, b'{"added": [', 100_000),
        (301, b"", None),
        (204, b"", None),
    ],
)
def test_what_answers_in_plaids_place_is_unreachable(
    gateway: Gateway, status: int, body: bytes, promised_bytes: int | None
) -> None:
    """A gateway's own page, whatever its status, is not taken for Plaid's word, nor asked again."""
    gateway.answers(status, body, promised_bytes)
    with closing(client_of(gateway.url)) as client, pytest.raises(PlaidUnreachableError):
        client.transactions_sync("access-sandbox-1", "")
    assert len(gateway.asked) == 1


def test_a_silent_plaid_is_given_up(client: PlaidClient, bank: Running, access_token: str) -> None:
    """The read timeout of the settings ends a call that is never answered."""
    bank.control.fault(SYNC, hold=True)
    with (
        closing(client_of(bank.url, read_timeout_seconds=0.2)) as hasty,
        pytest.raises(PlaidUnreachableError, match="ReadTimeout"),
    ):
        hasty.transactions_sync(access_token, "")
    assert client.transactions_sync(access_token, "").added == []


def told(gateway: Gateway) -> PlaidClient:
    """Return a client of a server that hangs up on the second call over a connection."""
    gateway.hangs_up_on_reuse = True
    gateway.answers(200, b'{"link_sessions": []}')
    return client_of(gateway.url)


def test_a_connection_that_was_idle_is_not_trusted(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may close an idle connection in the very moment of a call, whose effect nobody knows."""
    monkeypatch.setattr(plaid_connections, "IDLE_SECONDS_MAX", 0)
    with closing(told(gateway)) as client:
        for _ in range(3):
            assert client.link_token_get("link-sandbox-1").item_add_results() == []


def test_what_fails_before_it_is_secure_was_not_sent(gateway: Gateway) -> None:
    """A failed TLS handshake has no effect at Plaid; an answer that is lost may have had one."""
    gateway.answers(200, b"{", 100)
    for scheme, was_sent in (("http", True), ("https", False)):
        url = gateway.url.replace("http", scheme)
        with closing(client_of(url)) as client, pytest.raises(PlaidUnreachableError) as caught:
            client.public_token_exchange("public-sandbox-1")
        assert caught.value.was_sent is was_sent
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("ending", ["reset", "silence"])
def test_a_handshake_that_nobody_answers_was_not_sent(ending: str) -> None:
    """Nor is it where the other side hangs up in the middle of it, or says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        if ending == "reset":
            threading.Thread(target=hang_up_on, args=(server,)).start()
        with (
            closing(
                client_of(url, connect_timeout_seconds=0.5, read_timeout_seconds=0.5)
            ) as client,
            pytest.raises(PlaidUnreachableError) as caught,
        ):
            client.public_token_exchange("public-sandbox-1")
    assert not caught.value.was_sent


def hang_up_on(server: socket.socket) -> None:
    """Close the next connection at once."""
    server.accept()[0].close()


def test_calls_in_a_row_share_a_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection just used is used again: to open one for each call would take longer than the call."""
    monkeypatch.setattr(plaid_connections, "IDLE_SECONDS_MAX", 60)
    with closing(told(gateway)) as client:
        client.link_token_get("link-sandbox-1")
        with pytest.raises(PlaidUnreachableError):
            client.link_token_get("link-sandbox-1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://host.invalid"])
def test_nobody_there(url: str) -> None:
    """A closed port or an unknown host names the setting to look at."""
    with (
        closing(client_of(url)) as client,
        pytest.raises(PlaidUnreachableError, match="PLAID_BASE_URL"),
    ):
        client.transactions_sync("access-sandbox-1", "")


@pytest.mark.parametrize(
    "digits", ["0.1", "1.005", "-123456789012345678.123456789", "1e-7", "12.30", "0", "1E+2"]
)
def test_money_keeps_its_digits(gateway: Gateway, digits: str) -> None:
    """An amount is the decimal number that stood in the JSON, not the float nearest to it."""
    gateway.answers(200, _page(digits, more=""))
    with closing(client_of(gateway.url)) as client:
        (raw,) = client.transactions_sync("access-sandbox-1", "").added
    amount = decode_transaction(raw).amount
    assert isinstance(amount, Decimal)
    assert amount == Decimal(digits)
    assert f'"amount":{digits}'.encode() in bytes(raw)


def test_what_plaid_may_add_is_accepted(gateway: Gateway) -> None:
    """Unknown fields and enum values, and a null where one is allowed, are no errors."""
    more = ',"payment_channel":"telepathy","new":{"a":[1]},"merchant_name":null'
    gateway.answers(200, _page("1", more))
    with closing(client_of(gateway.url)) as client:
        page = client.transactions_sync("access-sandbox-1", "")
    row = decode_transaction(page.added[0])
    assert (row.payment_channel, row.merchant_name) == ("telepathy", None)
    assert page.transactions_update_status == "A_NEW_STATUS"


def test_a_row_that_is_none_is_told_apart_from_a_bug(gateway: Gateway) -> None:
    """A transaction without an amount is an unreadable answer, to be asked again."""
    gateway.answers(200, _page('"a lot"', more=""))
    with closing(client_of(gateway.url)) as client:
        (raw,) = client.transactions_sync("access-sandbox-1", "").added
    with pytest.raises(PlaidUnreachableError):
        decode_transaction(raw)


def test_accounts_come_with_their_json(client: PlaidClient, access_token: str) -> None:
    """Beside each account stands what Plaid sent, byte by byte as received."""
    ((account, payload),) = client.accounts_get(access_token)
    assert account.balances.current == Decimal("12.5")
    assert b'"current":12.5' in payload.replace(b" ", b"")


def test_an_item_in_error_is_still_described(
    client: PlaidClient, bank: Running, access_token: str
) -> None:
    """`/item/get` answers for a broken login, and says what is wrong with it."""
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=access_token)
    item = client.item_get(access_token).item
    assert item.error is not None
    assert item.error.error_code == "ITEM_LOGIN_REQUIRED"


def test_a_removed_items_token_is_refused(client: PlaidClient, access_token: str) -> None:
    """After `/item/remove` Plaid knows the token no more."""
    client.item_remove(access_token)
    with pytest.raises(PlaidRefusedError):
        client.item_get(access_token)


def _page(digits: str, more: str) -> bytes:
    row = (
        f'{{"transaction_id":"t","account_id":"a","amount":{digits},"date":"2026-01-31",'
        f'"pending":false{more}}}'
    )
    rest = '"modified":[],"removed":[],"next_cursor":"c","has_more":false,"new":true'
    status = '"transactions_update_status":"A_NEW_STATUS"'
    return f'{{"added":[{row}],{rest},{status}}}'.encode()

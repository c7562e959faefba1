"""The name by which the service is called: its own, or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from harness import Api


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    return {
        "public_url": "https://bank.example.com/below",
        "allowed_hosts": "bankloom, *.lan.example",
    }


def called(api: Api, host: str, path: str = "/healthz") -> httpx.Response:
    return api.client.get(path, headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "bank.example.com",
        "bank.example.com:443",
        "Bankloom:8000",
        "nas.lan.example",
        "127.0.0.1:1",
        "10.1.2.3",
        "[::1]:8000",
        "[fe80::1]",
    ],
)
def test_our_own_names_and_addresses_are_answered(walled: Api, host: str) -> None:
    """Public URL, setting, localhost; probes call by address, which no DNS entry can fake."""
    assert called(walled, host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "bank.example.com.evil.example",
        "evilbank.example.com",
        "lan.example",
        "xlan.example",
        "127.0.0.1.evil.example",
        "bankloom@evil.example",
        "localhost:8000@evil.example",
        "[evil.example]",
        "localhost evil.example",
        "",
        "999.1.1.1",
        "2130706433x",
    ],
)
def test_other_names_are_refused(walled: Api, host: str) -> None:
    """A page that was led here by its own DNS entry learns nothing, on any path."""
    for path in ("/healthz", "/plaid/accounts", "/docs", "/nowhere"):
        answer = called(walled, host, path)
        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == "unknown_host"
        assert "BANKLOOM_ALLOWED_HOSTS" in answer.json()["error"]["message"]


def test_plaid_reaches_the_webhook_by_the_public_name(walled: Api) -> None:
    """What refuses it is its missing signature, not its Host."""
    answer = walled.client.post("/plaid/webhook", headers={"Host": "bank.example.com"}, json={})
    assert answer.json()["error"]["code"] == "webhook_refused"


def test_https_in_front_is_remembered(walled: Api) -> None:
    """A public URL of https binds browsers to it, for a year and for this name alone."""
    answer = called(walled, "bank.example.com")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"

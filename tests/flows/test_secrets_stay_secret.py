"""Secrets: whatever happens in a flow, no token, key or secret is ever written to the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness import API_KEY, ServiceProcess, environment_for, settings_for, wait_until
from scenes import EXCHANGE_PATH, SYNC_PATH, ask_plaid, exchange, newcomer, person, stored

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from harness import Api
    from platypus_bank.testing import Running

PLAID_SECRET = "plaid-secret-that-nobody-may-read"


class Witness:
    """Goes through every corner of a flow and remembers the secrets, and all that was answered."""

    def __init__(self, api: Api, bank: Running) -> None:
        self._api = api
        self._bank = bank
        self.secrets = {API_KEY, PLAID_SECRET}
        self.refusals: list[str] = []

    def see(self, answer: httpx.Response) -> dict[str, Any]:
        """Remember the secrets of an answer, and the whole text of a refusal."""
        if not answer.is_success:
            self.refusals.append(answer.text)
        fields: dict[str, Any] = answer.json()
        self.secrets |= {fields[name] for name in ("link_token", "access_token") if name in fields}
        return fields

    def link(self, user: str) -> tuple[str, str]:
        """Go through Link; return the Item and its public token."""
        new = newcomer(self._api, self._bank, user, **person())
        self.secrets |= {new.link_token, new.public_token}
        return new.item_id, new.public_token

    def exchange(self, public_token: str, **more: Any) -> dict[str, Any]:
        """Exchange a public token, with whatever comes of it."""
        return self.see(exchange(self._api, public_token, **more))

    def sync(self, **named: str) -> dict[str, Any]:
        """Sync, with whatever comes of it."""
        return self.see(self._api.post("/plaid/sync", **named))


def test_nothing_secret_is_logged(
    bank: Running, embedded_database_url: str, tmp_path: Path
) -> None:
    """At the chattiest level, a flow of every kind of trouble leaves no secret in log or refusal."""
    settings = settings_for(bank.url, embedded_database_url, tmp_path, log_level="debug")
    environment = environment_for(settings) | {"PLAID_SECRET": PLAID_SECRET}
    process = ServiceProcess(environment)
    try:
        witness = Witness(process.api, bank)
        go_through_everything(witness, process.api, bank)
    finally:
        process.stop()
    keyring = (tmp_path / "keyring").read_text()
    secrets = witness.secrets | {line for line in keyring.split() if len(line) > 20}
    assert len(witness.secrets) > 8
    assert len(witness.refusals) > 8
    assert len(process.log.splitlines()) > 5
    for secret in secrets:
        assert secret not in process.log
        assert not [text for text in witness.refusals if secret in text]


def go_through_everything(witness: Witness, api: Api, bank: Running) -> None:
    """Link, sync and fail in as many ways as there are."""
    item_id, public_token = witness.link("ada")
    bank.control.fault(EXCHANGE_PATH, drop=True)
    witness.exchange(public_token)
    token = witness.exchange(public_token)["access_token"]
    witness.exchange(public_token, user_id="grace")
    witness.exchange(witness.link("ada")[1])
    bank.control.settings(exchange_mode="strict")
    lost = witness.link("grace")[1]
    bank.control.fault(EXCHANGE_PATH, drop_after_effect=True)
    witness.exchange(lost)
    witness.exchange(lost)
    bank.control.changes(item_id, added=[{"transaction_id": "t"}])
    wait_until(lambda: witness.sync(access_token=token)["status"] != "failed")
    assert stored(api, user_id="ada").keys() == {"t"}
    fail_in_every_way(witness, bank, token)
    witness.see(api.post("/plaid/exchange", public_token=public_token, product="x", surprise=token))
    witness.see(api.post("/plaid/sync", item_id=token))
    witness.see(api.post("/plaid/sync", access_token=public_token))
    stranger = type(api)(api.url, API_KEY + "x")
    with stranger.client:
        witness.see(stranger.get("/plaid/accounts"))


def fail_in_every_way(witness: Witness, bank: Running, token: str) -> None:
    """Let syncs meet a lost connection, garbage that repeats the token, refusals, a broken login."""
    echo = json.dumps({"error": f"what is {token}?", "header": PLAID_SECRET})
    refusal = {
        "error_type": "API_ERROR",
        "error_code": "INTERNAL_SERVER_ERROR",
        "error_message": f"could not use {token}",
        "status": 500,
    }
    for fault in ({"drop": True}, {"body": echo}, {"error": refusal}):
        bank.control.fault(SYNC_PATH, **fault)
        assert witness.sync(access_token=token)["status"] == "failed"
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    assert witness.sync(access_token=token)["status"] == "needs_relink"

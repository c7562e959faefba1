"""Signatures of webhooks, checked by another library than the one that made them."""

import base64
import hmac
import json
import time
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from platypus_bank.receiver import until

BODY = {"webhook_type": "ANY", "webhook_code": "THING", "b": [1], "a": {"y": None, "x": 1.5}}
UNKNOWN_KEY = (400, "INVALID_INPUT", "INVALID_WEBHOOK_VERIFICATION_KEY_ID")


def verified(api: Any, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a JWT against the key its kid names; returns its header and claims."""
    kid = jws.extract_compact(token.encode()).headers()["kid"]
    key = api.post("/webhook_verification_key/get", key_id=kid)
    assert key.status == 200, key.body
    found = jws.deserialize_compact(token, ECKey.import_key(key["key"]), ["ES256"])
    claims: dict[str, Any] = json.loads(found.payload)
    return found.headers(), claims


def test_a_webhook_is_signed_as_plaid_documents(api: Any, bank: Any, receiver: Any) -> None:
    """ES256, three header fields, two claims, the hash of the raw body; two-space, sorted JSON."""
    bank.control.advance(86_400 * 30)
    bank.control.send_webhook(BODY, url=receiver.url)
    [got] = receiver.wait(1)
    assert got.content_type == "application/json"
    assert got.body == (
        b'{\n  "a": {\n    "x": 1.5,\n    "y": null\n  },\n  "b": [\n    1\n  ],\n'
        b'  "webhook_code": "THING",\n  "webhook_type": "ANY"\n}'
    )
    [token] = got.verification
    header, claims = verified(api, token)
    assert set(header) == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == ("ES256", "JWT")
    assert claims == {
        "iat": pytest.approx(time.time(), abs=5),  # the wall clock's, a month behind the world's
        "request_body_sha256": sha256(got.body).hexdigest(),
    }


def test_a_key_has_every_field(api: Any, bank: Any) -> None:
    key_id = bank.control.rotate_key()
    key = api.post("/webhook_verification_key/get", key_id=key_id)["key"]
    assert (key["alg"], key["crv"], key["kty"], key["use"]) == ("ES256", "P-256", "EC", "sig")
    assert key["kid"] == key_id
    assert key["created_at"] == pytest.approx(time.time(), abs=5)
    assert key["expired_at"] is None
    assert len(key["x"]) == len(key["y"]) == 43
    assert set(key) == {
        "alg", "created_at", "crv", "expired_at", "kid", "kty", "use", "x", "y",
    }  # fmt: skip


@pytest.mark.parametrize("key_id", ["00000000-0000-4000-8000-000000000000", "", "x" * 5000])
def test_unknown_keys_are_refused(api: Any, key_id: str) -> None:
    assert api.post("/webhook_verification_key/get", key_id=key_id).error == UNKNOWN_KEY


def test_an_old_key_verifies_until_it_expires(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.send_webhook(BODY, url=receiver.url)
    receiver.wait(1)
    bank.control.rotate_key()
    bank.control.send_webhook(BODY, url=receiver.url)
    before, after = (verified(api, each.verification[0])[0] for each in receiver.wait(2))
    assert before["kid"] != after["kid"]
    assert [each["expired_at"] for each in bank.control.webhook_keys()] == [None, None]
    newest = bank.control.rotate_key(expire_old=True)
    old, second, new = bank.control.webhook_keys()
    assert old["expired_at"] == second["expired_at"] == pytest.approx(time.time(), abs=5)
    assert (new["kid"], new["expired_at"]) == (newest, None)


@pytest.mark.parametrize("forge", ["bad_signature", "other_key"])
def test_these_do_not_verify(api: Any, bank: Any, receiver: Any, forge: str) -> None:
    bank.control.send_webhook(BODY, url=receiver.url, forge=forge)
    [got] = receiver.wait(1)
    with pytest.raises(BadSignatureError):
        verified(api, got.verification[0])


@pytest.mark.parametrize(("forge", "seconds"), [("stale", -360), ("future", 3600)])
def test_these_have_another_time(
    api: Any, bank: Any, receiver: Any, forge: str, seconds: int
) -> None:
    bank.control.send_webhook(BODY, url=receiver.url, forge=forge)
    [got] = receiver.wait(1)
    _, claims = verified(api, got.verification[0])
    assert claims["iat"] == pytest.approx(time.time() + seconds, abs=5)
    assert claims["request_body_sha256"] == sha256(got.body).hexdigest()


@pytest.mark.parametrize("forge", ["body_changed", "body_reencoded"])
def test_these_have_another_body(api: Any, bank: Any, receiver: Any, forge: str) -> None:
    bank.control.send_webhook(BODY, url=receiver.url, forge=forge)
    [got] = receiver.wait(1)
    _, claims = verified(api, got.verification[0])
    assert claims["request_body_sha256"] != sha256(got.body).hexdigest()
    assert (got.json == BODY) == (forge == "body_reencoded")


@pytest.mark.parametrize(
    ("forge", "algorithm"), [("alg_none", "none"), ("hs256_public_key", "HS256")]
)
def test_these_name_another_algorithm(bank: Any, receiver: Any, forge: str, algorithm: str) -> None:
    bank.control.send_webhook(BODY, url=receiver.url, forge=forge)
    [got] = receiver.wait(1)
    header = jws.extract_compact(got.verification[0].encode()).headers()
    [known] = bank.control.webhook_keys()
    assert (header["alg"], header["kid"]) == (algorithm, known["kid"])
    unsigned, _, signature = got.verification[0].rpartition(".")
    pem = ECKey.import_key(known).as_pem(private=False)
    wanted = hmac.new(pem, unsigned.encode(), sha256).digest() if algorithm == "HS256" else b""
    assert base64.urlsafe_b64decode(signature + "==") == wanted


def test_these_name_another_key(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.send_webhook(BODY, url=receiver.url, forge="unknown_kid")
    bank.control.send_webhook(BODY, url=receiver.url, forge="expired_key")
    receiver.wait(2)
    tokens = {each["forge"]: each["attempts"][0]["verification"] for each in settled(bank, 2)}
    kid = jws.extract_compact(tokens["unknown_kid"].encode()).headers()["kid"]
    assert api.post("/webhook_verification_key/get", key_id=kid).error == UNKNOWN_KEY
    header, _ = verified(api, tokens["expired_key"])
    key = api.post("/webhook_verification_key/get", key_id=header["kid"])["key"]
    assert key["expired_at"] is not None


def settled(bank: Any, count: int) -> list[dict[str, Any]]:
    """Wait until so many deliveries have ended."""

    def ended() -> list[dict[str, Any]]:
        return [each for each in bank.control.webhooks() if each["state"] != "waiting"]

    until(lambda: len(ended()) >= count)
    return ended()


def test_these_have_another_header(api: Any, bank: Any, receiver: Any) -> None:
    for forge in ("no_header", "two_headers", "garbage"):
        bank.control.send_webhook(BODY | {"forge": forge}, url=receiver.url, forge=forge)
    got = {each.json["forge"]: each.verification for each in receiver.wait(3)}
    assert got["no_header"] == []
    good, bad = got["two_headers"]
    verified(api, good)
    with pytest.raises(BadSignatureError):
        verified(api, bad)
    assert got["garbage"] == ["this is not a JWT"]


def test_a_text_goes_as_it_stands(api: Any, bank: Any, receiver: Any) -> None:
    text = '{"a":1,   "\u00e9": "not as Plaid writes"'
    bank.control.send_webhook(text, url=receiver.url)
    [got] = receiver.wait(1)
    assert got.body == text.encode()
    assert verified(api, got.verification[0])[1]["request_body_sha256"]

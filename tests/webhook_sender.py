"""Somebody who sends webhooks: Plaid with its keys in front of the bank, or a forger.

It signs with `cryptography` alone, not with the library that the service verifies with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_PATH = "/webhook_verification_key/get"


def base64url(raw: bytes) -> str:
    """Encode as a JWT's part."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    """Read a JWT's part."""
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def encoded(part: dict[str, Any]) -> str:
    """Write a JWT's part."""
    return base64url(json.dumps(part).encode())


class Key:
    """A key pair of P-256 under a name."""

    def __init__(self, kid: str | None = None) -> None:
        self.kid = kid or str(uuid.uuid4())
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.expired_at: int | None = None
        self.changes: dict[str, Any] = {}

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half, as Plaid tells it."""
        numbers = self.private.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(32)) for number in (numbers.x, numbers.y))
        times = {"created_at": 1_560_466_150, "expired_at": self.expired_at}
        kind = {"alg": "ES256", "crv": "P-256", "kty": "EC", "use": "sig"}
        return {**kind, "kid": self.kid, "x": x, "y": y, **times, **self.changes}

    @property
    def public_pem(self) -> bytes:
        """The public half as text, which a forger may try as a shared secret."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, signing_input: str) -> str:
        """Sign as ES256 does: r and s, of 32 bytes each."""
        der = self.private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
        return base64url(b"".join(number.to_bytes(32) for number in decode_dss_signature(der)))

    def jwt(self, body: bytes, *, age: float = 0, **header: Any) -> str:
        """Return the JWT of a body that was signed `age` seconds ago."""
        claims = {
            "iat": int(time.time() - age),
            "request_body_sha256": hashlib.sha256(body).hexdigest(),
        }
        head = encoded({"alg": "ES256", "kid": self.kid, "typ": "JWT", **header})
        signing_input = f"{head}.{encoded(claims)}"
        return f"{signing_input}.{self.sign(signing_input)}"

    def hs256(self, body: bytes) -> str:
        """Forge a JWT that is authenticated with the public key as a shared secret."""
        _, claims, _ = self.jwt(body).split(".")
        signing_input = f"{encoded({'alg': 'HS256', 'kid': self.kid, 'typ': 'JWT'})}.{claims}"
        mac = hmac.new(self.public_pem, signing_input.encode(), hashlib.sha256).digest()
        return f"{signing_input}.{base64url(mac)}"


def body_of(webhook_type: str, webhook_code: str, **fields: Any) -> bytes:
    """Return a body as Plaid writes it."""
    body = {"webhook_type": webhook_type, "webhook_code": webhook_code, "environment": "sandbox"}
    return json.dumps(body | fields, indent=2, sort_keys=True).encode()


def updates_available(item_id: str = "item", **fields: Any) -> bytes:
    """Return the body of the webhook that says that there is something to sync."""
    complete = {"initial_update_complete": True, "historical_update_complete": True}
    return body_of("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", item_id=item_id, **(complete | fields))


def deliver(url: str, body: bytes, *jwts: str, **headers: str) -> httpx.Response:
    """Deliver a body to the service, with so many signatures."""
    signed = [("Plaid-Verification", jwt) for jwt in jwts]
    kind = [("Content-Type", "application/json"), *headers.items()]
    return httpx.post(f"{url}/plaid/webhook", content=body, headers=[*kind, *signed], timeout=30)


@dataclass
class PlaidKeys:
    """Keys of Plaid's that a test may sign with, in front of the bank, which answers for all else."""

    bank_url: str
    url: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refusal: tuple[int, dict[str, Any]] | None = None

    def new_key(self, kid: str | None = None) -> Key:
        """Begin to sign with a new key."""
        key = Key(kid)
        self.keys[key.kid] = key
        return key

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Answer for a key, or let the bank answer."""
        kid = json.loads(body)["key_id"] if path == KEY_PATH else None
        if kid is not None:
            self.asked.append(kid)
            if self.refusal is not None:
                status, refused = self.refusal
                return status, json.dumps(refused).encode()
            if kid in self.keys:
                return 200, json.dumps({"key": self.keys[kid].jwk, "request_id": "a"}).encode()
        passed_on = {name: headers[name] for name in headers if name.lower() != "host"}
        told = httpx.post(self.bank_url + path, content=body, headers=passed_on, timeout=60)
        return told.status_code, told.content


@contextmanager
def plaid_keys(bank_url: str) -> Iterator[PlaidKeys]:
    """Stand in front of the bank, at a URL of its own, for the length of a block."""
    plaid = PlaidKeys(bank_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = plaid.answer(self.path, body, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    plaid.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield plaid
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The keys that sign webhooks, and the JWT that goes into the Plaid-Verification header.

https://plaid.com/docs/api/webhooks/webhook-verification/
"""

import json
import time
import uuid
from functools import lru_cache
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from platypus_bank.records import Document
from platypus_bank.world import World

ALGORITHM = "ES256"


class SigningKey(Document, kw_only=True):
    """A key pair; its id is the `kid`. Instants are Unix seconds of the wall clock, as `iat` is."""

    created_at: int
    expired_at: int | None = None
    private_pem: str


def current_key(world: World) -> SigningKey:
    """Return the key that signs now: the newest that has not expired. Makes the first one."""
    live = [each for each in world.store.every(SigningKey) if each.expired_at is None]
    return live[-1] if live else _kept(world, new_key())


def new_key(*, expired: bool = False) -> SigningKey:
    """Return a new key. Its id is random, as it is: neither comes from the world's seed."""
    now = int(time.time())
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(
        id=str(uuid.uuid4()),
        created_at=now,
        expired_at=now if expired else None,
        private_pem=pem.decode("ascii"),
    )


def _kept(world: World, key: SigningKey) -> SigningKey:
    world.store.put(key)
    return key


def rotate(world: World, *, expire_old: bool) -> SigningKey:
    """Sign with a new key from now on; the old ones still verify, unless they expire now."""
    current_key(world)
    if expire_old:
        for key in world.store.every(SigningKey):
            key.expired_at = key.expired_at or int(time.time())
            world.store.put(key)
    return _kept(world, new_key())


def expired_key(world: World) -> SigningKey:
    """Return a key that has expired, and that Plaid would still show. Makes one if need be."""
    old = [each for each in world.store.every(SigningKey) if each.expired_at is not None]
    return old[-1] if old else _kept(world, new_key(expired=True))


def jwk(key: SigningKey) -> dict[str, Any]:
    """Return the JWKPublicKey schema of the OpenAPI file."""
    public = ECAlgorithm.to_jwk(private_key(key).public_key(), as_dict=True)
    return {
        "alg": ALGORITHM,
        "crv": public["crv"],
        "kid": key.id,
        "kty": public["kty"],
        "use": "sig",
        "x": public["x"],
        "y": public["y"],
        "created_at": key.created_at,
        "expired_at": key.expired_at,
    }


def private_key(key: SigningKey) -> ec.EllipticCurvePrivateKey:
    """Return a key's private half, ready to sign."""
    return _loaded(key.private_pem)


@lru_cache(maxsize=16)
def _loaded(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode("ascii"), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a signing key must be an elliptic curve key")
    return key


def claims(body: bytes, issued_at: int) -> dict[str, Any]:
    """Return the JWT's two claims for a raw body."""
    return {"iat": issued_at, "request_body_sha256": sha256(body).hexdigest()}


def sign(key: SigningKey, body: bytes, issued_at: int, *, kid: str | None = None) -> str:
    """Return the JWT for a raw body; PyJWT adds `typ`."""
    return jwt.encode(
        claims(body, issued_at),
        private_key(key),
        algorithm=ALGORITHM,
        headers={"kid": kid or key.id},
    )


def write(body: dict[str, Any]) -> str:
    """Write a body as Plaid does: two spaces of indentation; the keys are sorted, as recorded."""
    return json.dumps(body, indent=2, sort_keys=True, default=float)

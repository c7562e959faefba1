"""What goes over the wire for one try: a good signature, or one of the bad ones."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from platypus_bank.webhooks import signing
from platypus_bank.webhooks.deliveries import Delivery, Forgery
from platypus_bank.webhooks.signing import SigningKey, sign
from platypus_bank.world import World

STALE_SECONDS = 6 * 60  # Plaid has receivers refuse what is older than five minutes
FUTURE_SECONDS = 3600


class Sent(Struct, frozen=True):
    """A raw body, and the Plaid-Verification headers that go with it."""

    body: bytes
    headers: tuple[str, ...]


def dress(world: World, delivery: Delivery) -> Sent:
    """Sign a delivery for one try, now by the wall clock; badly, when it is a forgery.

    Making keys writes to the store: the caller commits.
    """
    body = delivery.text.encode()
    good = sign(signing.current_key(world), body, int(time.time()))
    if delivery.forge is None:
        return Sent(body, (good,))
    return _FORGERIES[delivery.forge](world, body, good)


def _no_header(world: World, body: bytes, good: str) -> Sent:
    del world, good
    return Sent(body, ())


def _two_headers(world: World, body: bytes, good: str) -> Sent:
    return Sent(body, (good, *_bad_signature(world, body, good).headers))


def _garbage(world: World, body: bytes, good: str) -> Sent:
    del world, good
    return Sent(body, ("this is not a JWT",))


def _bad_signature(world: World, body: bytes, good: str) -> Sent:
    del world
    head, claims, signature = good.split(".")
    return Sent(body, (f"{head}.{claims}.{signature[::-1]}",))


def _other_key(world: World, body: bytes, good: str) -> Sent:
    del good
    known = signing.current_key(world)
    return Sent(body, (sign(signing.new_key(), body, int(time.time()), kid=known.id),))


def _unknown_kid(world: World, body: bytes, good: str) -> Sent:
    del good
    key = signing.current_key(world)
    return Sent(body, (sign(key, body, int(time.time()), kid=str(uuid.uuid4())),))


def _expired_key(world: World, body: bytes, good: str) -> Sent:
    del good
    return Sent(body, (sign(signing.expired_key(world), body, int(time.time())),))


def _alg_none(world: World, body: bytes, good: str) -> Sent:
    del good
    return Sent(body, (f"{_unsigned('none', signing.current_key(world), body)}.",))


def _hs256_public_key(world: World, body: bytes, good: str) -> Sent:
    del good
    key = signing.current_key(world)
    public = signing.private_key(key).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = _unsigned("HS256", key, body)
    signature = hmac.new(pem, unsigned.encode("ascii"), sha256).digest()
    return Sent(body, (f"{unsigned}.{_base64url(signature)}",))


def _unsigned(algorithm: str, key: SigningKey, body: bytes) -> str:
    # PyJWT rightly refuses to make these two.
    header = {"alg": algorithm, "kid": key.id, "typ": "JWT"}
    parts = (header, signing.claims(body, int(time.time())))
    return ".".join(_base64url(json.dumps(each).encode()) for each in parts)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _stale(world: World, body: bytes, good: str) -> Sent:
    del good
    issued_at = int(time.time()) - STALE_SECONDS
    return Sent(body, (sign(signing.current_key(world), body, issued_at),))


def _future(world: World, body: bytes, good: str) -> Sent:
    del good
    issued_at = int(time.time()) + FUTURE_SECONDS
    return Sent(body, (sign(signing.current_key(world), body, issued_at),))


def _body_changed(world: World, body: bytes, good: str) -> Sent:
    del world
    return Sent(body.replace(b"{", b'{\n  "forged": true,', 1), (good,))


def _body_reencoded(world: World, body: bytes, good: str) -> Sent:
    del world
    return Sent(json.dumps(json.loads(body), separators=(",", ":")).encode(), (good,))


_FORGERIES: dict[Forgery, Callable[[World, bytes, str], Sent]] = {
    "no_header": _no_header,
    "two_headers": _two_headers,
    "garbage": _garbage,
    "bad_signature": _bad_signature,
    "other_key": _other_key,
    "unknown_kid": _unknown_kid,
    "expired_key": _expired_key,
    "alg_none": _alg_none,
    "hs256_public_key": _hs256_public_key,
    "stale": _stale,
    "future": _future,
    "body_changed": _body_changed,
    "body_reencoded": _body_reencoded,
}

"""Proves that Plaid signed a webhook, as plaid.com/docs/api/webhooks/webhook-verification says.

Two steps, so that a key is only looked for where everything that costs nothing holds: `read` what
the signature claims, then `prove` the claim with the key that it names. The cryptography is joserfc's.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "Plaid-Verification"
ALGORITHM = "ES256"
AGE_MAX = timedelta(minutes=5)
"""Plaid's own rule. It retries for a day, so it must sign each attempt anew; nothing else would pass."""

AHEAD_MAX = timedelta(seconds=30)
"""Servers that keep their clocks by NTP are far less apart; one that is more needs mending, and is told."""

JWT_CHARS_MAX = 2048
"""Plaid's have about 350 characters."""

KID_CHARS_MAX = 100
"""Plaid's are UUIDs."""

_SIGNATURE_BYTES = 64  # two numbers of P-256 (RFC 7518, section 3.4)


class Verdict(enum.StrEnum):
    """Why a delivery was not believed. An operator sees it; the sender never does."""

    NO_SIGNATURE = "no_signature"
    TWO_SIGNATURES = "two_signatures"
    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    BODY_CHANGED = "body_changed"
    UNKNOWN_KEY = "unknown_key"
    EXPIRED_KEY = "expired_key"
    UNFIT_KEY = "unfit_key"
    BAD_SIGNATURE = "bad_signature"
    SELF_TEST_ONLY = "self_test_only"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    UNDECIDED = "undecided"


class UnbelievedError(Exception):
    """A delivery was not believed; `kid` and `issued_at` are what it claims, as far as that was read."""

    def __init__(
        self, verdict: Verdict, kid: str | None = None, issued_at: int | None = None
    ) -> None:
        self.verdict = verdict
        self.kid = kid
        self.issued_at = issued_at
        super().__init__(verdict)


class _Header(msgspec.Struct):
    alg: Any = None
    kid: Any = None
    crit: Any = None


class _Claims(msgspec.Struct):
    iat: int
    request_body_sha256: str


@dataclass(frozen=True)
class Claim:
    """What a delivery's signature claims; believe nothing of it before `prove`."""

    jwt: str
    kid: str
    issued_at: datetime

    @property
    def jwt_hash(self) -> str:
        """The SHA-256 of the JWT, which tells a delivery that came twice from two equal ones.

        A JWT has one spelling here, but for the twin that every ECDSA signature has: whoever saw one
        could send that for five minutes, which costs one run more.
        """
        return hashlib.sha256(self.jwt.encode()).hexdigest()


def read(signatures: Sequence[str], body: bytes, at: datetime) -> Claim:
    """Read the one signature of a raw body and check all that takes no key. Errors: `UnbelievedError`."""
    jwt = _only(signatures)
    header_part, claims_part, signature_part = _parts(jwt)
    header = _decoded(header_part, _Header)
    if header.alg != ALGORITHM:
        raise UnbelievedError(Verdict.WRONG_ALGORITHM)
    kid = _kid(header)
    claims = _decoded(claims_part, _Claims)
    if len(_bytes(signature_part, Verdict.BAD_SIGNATURE)) != _SIGNATURE_BYTES:
        raise UnbelievedError(Verdict.BAD_SIGNATURE, kid, claims.iat)
    _check_time(kid, claims.iat, int(at.timestamp()))
    if not hmac.compare_digest(
        claims.request_body_sha256.encode(), hashlib.sha256(body).hexdigest().encode()
    ):
        raise UnbelievedError(Verdict.BODY_CHANGED, kid, claims.iat)
    return Claim(jwt, kid, datetime.fromtimestamp(claims.iat, UTC))


def _only(signatures: Sequence[str]) -> str:
    """Return the one signature; a proxy may have joined two headers with a comma."""
    if not signatures:
        raise UnbelievedError(Verdict.NO_SIGNATURE)
    if len(signatures) > 1 or "," in signatures[0]:
        raise UnbelievedError(Verdict.TWO_SIGNATURES)
    return signatures[0]


def _parts(jwt: str) -> list[str]:
    parts = jwt.split(".") if len(jwt) <= JWT_CHARS_MAX else []
    if len(parts) != 3:  # noqa: PLR2004 - a compact JWS (RFC 7515, section 7.1)
        raise UnbelievedError(Verdict.MALFORMED)
    return parts


Part = TypeVar("Part")


def _decoded(part: str, shape: type[Part]) -> Part:
    try:
        return msgspec.json.decode(_bytes(part), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnbelievedError(Verdict.MALFORMED) from error


def _bytes(part: str, otherwise: Verdict = Verdict.MALFORMED) -> bytes:
    """Decode base64url in its one canonical spelling; Python's decoder overlooks strange characters."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error) as error:
        raise UnbelievedError(otherwise) from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise UnbelievedError(otherwise)
    return raw


def _kid(header: _Header) -> str:
    """Return the key's name; what we would not understand (`crit`) may not be passed over."""
    kid = header.kid
    named = isinstance(kid, str) and 0 < len(kid) <= KID_CHARS_MAX and kid.isascii()
    if not (named and kid.isprintable()) or header.crit is not None:
        raise UnbelievedError(Verdict.MALFORMED)
    return str(kid)


def _check_time(kid: str, issued_at: int, now: int) -> None:
    if now - issued_at > AGE_MAX.total_seconds():
        raise UnbelievedError(Verdict.STALE, kid, issued_at)
    if issued_at - now > AHEAD_MAX.total_seconds():
        raise UnbelievedError(Verdict.FROM_THE_FUTURE, kid, issued_at)


class Jwk(msgspec.Struct, frozen=True):
    """A public key as Plaid tells it (spec `JWKPublicKey`)."""

    alg: str
    crv: str
    kid: str
    kty: str
    use: str
    x: str
    y: str
    expired_at: int | None = None


def public_key(jwk: Jwk, kid: str) -> ECKey:
    """Return the key, if it is one that may sign webhooks under this name. Errors: `UnbelievedError`."""
    if (jwk.kid, jwk.alg, jwk.kty, jwk.crv, jwk.use) != (kid, ALGORITHM, "EC", "P-256", "sig"):
        raise UnbelievedError(Verdict.UNFIT_KEY, kid)
    if jwk.expired_at is not None:
        raise UnbelievedError(Verdict.EXPIRED_KEY, kid)
    try:
        key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y})
        _ = key.public_key  # it is built, and its point checked, only when it is asked for
    except (JoseError, ValueError) as error:
        raise UnbelievedError(Verdict.UNFIT_KEY, kid) from error
    return key


_registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


def prove(claim: Claim, key: ECKey) -> None:
    """Check the signature of a claim that `read` has let pass. Errors: `UnbelievedError`."""
    try:
        jws.deserialize_compact(claim.jwt, key, registry=_registry)
    except (JoseError, ValueError) as error:
        issued_at = int(claim.issued_at.timestamp())
        raise UnbelievedError(Verdict.BAD_SIGNATURE, claim.kid, issued_at) from error

"""Sends deliveries good and bad to the running service, and tells how it judged each.

Nobody but Plaid has Plaid's key, so the self-test makes one of its own, which the service believes
for some minutes, for nothing but these deliveries. The service tells nobody why it refuses: its
verdicts are read where an operator finds them, in the samples of the refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import urllib3
from joserfc import jws
from joserfc.jwk import ECKey

from bankloom.core import clock
from bankloom.core.errors import ConfigurationError
from bankloom.core.signatures import ALGORITHM, HEADER, Verdict
from bankloom.models import SelfTestKey, WebhookDelivery, WebhookRefusal
from bankloom.services.webhooks.receive import SELF_TEST_KID, SELF_TEST_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime

KEY_LIFETIME = timedelta(minutes=5)
ANSWER_SECONDS_MAX = 15
VERDICT_SECONDS_MAX = 10.0
"""The service writes what it refused once a second, and keeps trying where it can't."""

POLL_SECONDS = 0.2
ACCEPTED = "accepted"
ACCEPTED_ONCE = "accepted, stored once"


class Case(NamedTuple):
    """One delivery and what should become of it; its mark stands in its body."""

    name: str
    expected: str
    mark: str
    body: bytes
    jwts: tuple[str, ...]


class Result(NamedTuple):
    """What became of a case."""

    name: str
    expected: str
    given: str

    @property
    def is_right(self) -> bool:
        """Whether it was judged as it should be."""
        return self.given == self.expected


def now(runtime: Runtime, url: str) -> list[Result]:
    """Send every case to the service at this URL. Errors: `ConfigurationError` where none answers."""
    signer = _Signer(runtime)
    cases = list(_cases(signer))
    statuses = [_send(url, case) for case in cases]
    refused = [
        case.mark for case, status in zip(cases, statuses, strict=True) if status == _REFUSED
    ]
    verdicts = _verdicts(runtime, refused)
    stored_once = _count(runtime, signer.kid) == 1
    return [
        Result(case.name, case.expected, _given(case, status, verdicts, stored_once=stored_once))
        for case, status in zip(cases, statuses, strict=True)
    ]


class Arrival(NamedTuple):
    """What became of one good delivery: how it was answered, and whether our database has it."""

    status: int
    was_stored: bool


def knock(runtime: Runtime, url: str) -> Arrival:
    """Send one good delivery. Errors: `ConfigurationError` where no service answers."""
    signer = _Signer(runtime)
    mark, body = _marked()
    status = _send(url, Case("a good one", ACCEPTED, mark, body, (signer.sign(body),)))
    return Arrival(status, _count(runtime, signer.kid) == 1)


OK, _REFUSED = 200, 401


class _Signer:
    """A throw-away key pair, the public half of which the service finds in the database."""

    def __init__(self, runtime: Runtime) -> None:
        self.kid = SELF_TEST_KID + secrets.token_hex(8)
        self._key = ECKey.generate_key("P-256")
        at = clock.now()
        with runtime.database.session() as session:
            SelfTestKey.add(session, self.kid, json.dumps(self._jwk()), at, at + KEY_LIFETIME)

    def _jwk(self) -> dict[str, object]:
        kind = {"alg": ALGORITHM, "use": "sig", "kid": self.kid}
        return {**self._key.as_dict(private=False), **kind}

    def sign(self, body: bytes, *, age_seconds: int = 0, key: ECKey | None = None) -> str:
        """Return the JWT of a body, of another age or by another key where that is asked for."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": "JWT"}
        return jws.serialize_compact(header, _claims(body, age_seconds), key or self._key)

    def forge(self, body: bytes, algorithm: str) -> str:
        """Return a JWT that names another algorithm, with the public key as the shared secret."""
        header = json.dumps({"alg": algorithm, "kid": self.kid, "typ": "JWT"}).encode()
        signing_input = f"{_base64url(header)}.{_base64url(_claims(body, 0))}"
        if algorithm == "none":
            return f"{signing_input}."
        secret = self._key.as_pem(private=False)
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        return f"{signing_input}.{_base64url(mac)}"


def _claims(body: bytes, age_seconds: int) -> bytes:
    issued_at = int(clock.now().timestamp()) - age_seconds
    claims = {"iat": issued_at, "request_body_sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(claims).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _cases(signer: _Signer) -> Iterator[Case]:
    """Give every case; the first two are the same delivery."""
    mark, body = _marked()
    good = (signer.sign(body),)
    yield Case("a good one", ACCEPTED, mark, body, good)
    yield Case("the same again", ACCEPTED_ONCE, mark, body, good)
    for name, verdict in _BAD.items():
        mark, body = _marked()
        yield Case(name, verdict, mark, *_spoilt(signer, name, body))
    mark, body = _marked("TRANSACTIONS")
    expected = Verdict.SELF_TEST_ONLY
    yield Case("a real webhook by this key", expected, mark, body, (signer.sign(body),))


_BAD = {
    "no header": Verdict.NO_SIGNATURE,
    "two headers": Verdict.TWO_SIGNATURES,
    "algorithm none": Verdict.WRONG_ALGORITHM,
    "HS256 with the public key": Verdict.WRONG_ALGORITHM,
    "another key": Verdict.BAD_SIGNATURE,
    "6 minutes old": Verdict.STALE,
    "from the future": Verdict.FROM_THE_FUTURE,
    "body tampered with": Verdict.BODY_CHANGED,
    "body written anew": Verdict.BODY_CHANGED,
}


def _spoilt(signer: _Signer, name: str, body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a body and its signatures, spoilt as the name says."""
    good = signer.sign(body)
    spoilt: dict[str, tuple[bytes, tuple[str, ...]]] = {
        "no header": (body, ()),
        "two headers": (body, (good, good)),
        "algorithm none": (body, (signer.forge(body, "none"),)),
        "HS256 with the public key": (body, (signer.forge(body, "HS256"),)),
        "another key": (body, (signer.sign(body, key=ECKey.generate_key("P-256")),)),
        "6 minutes old": (body, (signer.sign(body, age_seconds=360),)),
        "from the future": (body, (signer.sign(body, age_seconds=-360),)),
        "body tampered with": (body.replace(b"self-test", b"tampered"), (good,)),
        "body written anew": (json.dumps(json.loads(body)).encode(), (good,)),
    }
    return spoilt[name]


def _marked(webhook_type: str = SELF_TEST_TYPE) -> tuple[str, bytes]:
    """Return a mark and a body with it, written as Plaid writes."""
    mark = secrets.token_hex(8)
    body = {"mark": mark, "sent_by": "self-test", "webhook_type": webhook_type}
    return mark, json.dumps({**body, "webhook_code": "SELF_TEST"}, indent=2).encode()


def _send(url: str, case: Case) -> int:
    headers = urllib3.HTTPHeaderDict({"Content-Type": "application/json"})
    for jwt in case.jwts:
        headers.add(HEADER, jwt)
    try:
        answer = urllib3.request(
            "POST",
            f"{url.rstrip('/')}/plaid/webhook",
            body=case.body,
            headers=headers,
            timeout=ANSWER_SECONDS_MAX,
            retries=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise ConfigurationError(
            f"No service answers at {_shown(url)} ({type(error).__name__}). Start `bankloom serve`, "
            "or name the URL that leads to it: BANKLOOM_PUBLIC_URL, or --url where there is one."
        ) from error
    return answer.status


def _shown(url: str) -> str:
    """Return the URL without a password that somebody may have put into it."""
    return urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()


def _verdicts(runtime: Runtime, marks: list[str]) -> dict[str, str]:
    """Return the verdict on each of these marks, as soon as the service has written them."""
    deadline = time.monotonic() + VERDICT_SECONDS_MAX
    while True:
        with runtime.database.session() as session:
            samples = [
                (each.verdict, sample["body"])
                for each in WebhookRefusal.listing(session)
                for sample in each.samples
            ]
        found = {mark: verdict for mark in marks for verdict, body in samples if mark in body}
        if len(found) == len(marks) or time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)


def _count(runtime: Runtime, kid: str) -> int:
    with runtime.database.session() as session:
        return WebhookDelivery.count_by_key(session, kid)


def _given(case: Case, status: int, verdicts: dict[str, str], *, stored_once: bool) -> str:
    if status != OK:
        return verdicts.get(case.mark, f"HTTP {status}")
    if case.expected != ACCEPTED_ONCE:
        return ACCEPTED
    return ACCEPTED_ONCE if stored_once else "accepted, but not stored once"

"""What a signature claims, what proves it, and what is never taken for one."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankloom.core import signatures
from bankloom.core.signatures import Jwk, UnbelievedError, Verdict
from webhook_sender import Key, base64url, encoded, updates_available

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = updates_available()
DEEP = base64url(b'{"a":' + b"[" * 1400)
"""As many brackets as fit: a parser that goes down into each may not come back."""


def judge(key: Key, *jwts: str, body: bytes = BODY) -> Verdict | None:
    """Read and prove; return why not, if not."""
    try:
        claim = signatures.read(jwts, body, datetime.now(UTC))
        signatures.prove(claim, signatures.public_key(jwk_of(key), key.kid))
    except UnbelievedError as refused:
        return refused.verdict
    return None


def jwk_of(key: Key) -> Jwk:
    return msgspec.json.decode(json.dumps(key.jwk), type=Jwk)


@pytest.fixture(scope="module")
def key() -> Key:
    """A key of Plaid's."""
    return Key()


def resigned(key: Key, header: str, claims: str) -> str:
    """Sign these parts, whatever they are."""
    return f"{header}.{claims}.{key.sign(f'{header}.{claims}')}"


def claims_of(key: Key, **changes: Any) -> str:
    """Sign claims that were changed; one that is None is left out."""
    header, claims, _ = key.jwt(BODY).split(".")
    changed = json.loads(signatures._bytes(claims)) | changes
    kept = {name: value for name, value in changed.items() if value is not None}
    return resigned(key, header, encoded(kept))


def test_what_plaid_signed_is_believed(key: Key) -> None:
    """A good signature is proven, up to its last second, and by a clock somewhat ahead."""
    ages = (0, 298, -28)
    assert [judge(key, key.jwt(BODY, age=age)) for age in ages] == [None] * len(ages)


@pytest.mark.parametrize(
    ("forge", "verdict"),
    [
        (lambda _: "", Verdict.MALFORMED),
        (lambda _: "a.b", Verdict.MALFORMED),
        (lambda _: f"{DEEP}.e30.x", Verdict.MALFORMED),
        (lambda key: f"{key.jwt(BODY).split('.')[0]}.{DEEP}.x", Verdict.MALFORMED),
        (lambda key: key.jwt(BODY) + ".x", Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, more="x" * 2000), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, kid=None), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, kid=""), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, kid="k" * 101), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, kid="a\nb"), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY, crit=["b64"], b64=False), Verdict.MALFORMED),
        (lambda key: key.jwt(BODY)[:-2], Verdict.BAD_SIGNATURE),
        (lambda key: key.jwt(BODY) + "!", Verdict.BAD_SIGNATURE),
        (lambda key: key.jwt(BODY) + "==", Verdict.BAD_SIGNATURE),
        (lambda key: claims_of(key, iat="now"), Verdict.MALFORMED),
        (lambda key: claims_of(key, iat=True), Verdict.MALFORMED),
        (lambda key: claims_of(key, iat=1.5), Verdict.MALFORMED),
        (lambda key: claims_of(key, iat=None), Verdict.MALFORMED),
        (lambda key: claims_of(key, request_body_sha256=None), Verdict.MALFORMED),
        (lambda key: claims_of(key, request_body_sha256="é"), Verdict.BODY_CHANGED),
        (lambda key: claims_of(key, iat=10**30), Verdict.FROM_THE_FUTURE),
        (lambda key: claims_of(key, iat=-(10**30)), Verdict.STALE),
        (lambda key: key.jwt(BODY, alg="none"), Verdict.WRONG_ALGORITHM),
        (lambda key: key.jwt(BODY, alg="es256"), Verdict.WRONG_ALGORITHM),
        (lambda key: key.jwt(BODY, alg=["ES256"]), Verdict.WRONG_ALGORITHM),
        (lambda key: key.jwt(BODY, alg=None), Verdict.WRONG_ALGORITHM),
        (lambda key: key.jwt(BODY, age=302), Verdict.STALE),
        (lambda key: key.jwt(BODY, age=-40), Verdict.FROM_THE_FUTURE),
        (lambda key: key.jwt(BODY + b"\n"), Verdict.BODY_CHANGED),
        (lambda key: Key(key.kid).jwt(BODY), Verdict.BAD_SIGNATURE),
        (lambda key: resigned(key, "e30", "e30"), Verdict.WRONG_ALGORITHM),
    ],
)
def test_what_is_not_plaids_is_refused(
    key: Key, forge: Callable[[Key], str], verdict: Verdict
) -> None:
    """Each way to be wrong has its verdict."""
    assert judge(key, forge(key)) == verdict


def test_one_signature_is_asked_for(key: Key) -> None:
    """None is too few; two good ones are too many, also where a proxy has joined them."""
    jwt = key.jwt(BODY)
    verdicts = [judge(key), judge(key, jwt, jwt), judge(key, f"{jwt}, {jwt}")]
    assert verdicts == [
        Verdict.NO_SIGNATURE,
        Verdict.TWO_SIGNATURES,
        Verdict.TWO_SIGNATURES,
    ]


def test_a_delivery_can_not_be_spelt_anew(key: Key) -> None:
    """Nobody who saw one makes another of it by what base64 decoders overlook."""
    jwt = key.jwt(BODY)
    last = signatures._bytes(jwt.rpartition(".")[2])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [jwt[:-1] + char for char in alphabet] + [f"{jwt[:-9]}{jwt[-9:]}\n"]
    believed = [each for each in spellings if judge(key, each) is None]
    assert believed == [jwt]
    assert base64url(last) == jwt.rpartition(".")[2]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"alg": "RS256"}, Verdict.UNFIT_KEY),
        ({"kty": "oct"}, Verdict.UNFIT_KEY),
        ({"crv": "P-384"}, Verdict.UNFIT_KEY),
        ({"use": "enc"}, Verdict.UNFIT_KEY),
        ({"kid": "another"}, Verdict.UNFIT_KEY),
        ({"x": "AAAA"}, Verdict.UNFIT_KEY),
        ({"y": "?"}, Verdict.UNFIT_KEY),
        ({"expired_at": 1}, Verdict.EXPIRED_KEY),
        ({"expired_at": 0}, Verdict.EXPIRED_KEY),
    ],
)
def test_only_plaids_kind_of_key_is_taken(changes: dict[str, Any], verdict: Verdict) -> None:
    """A key of another kind, use or curve, and one that has expired, proves nothing."""
    key = Key()
    key.changes = changes
    assert judge(key, key.jwt(BODY)) == verdict


PARTS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40).map(base64url),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ).map(lambda value: base64url(json.dumps(value).encode())),
    st.sampled_from(
        ['{"alg":"ES256","kid":"\\ud800"}', '{"iat":1,"request_body_sha256":"\\ud800"}']
    ).map(lambda text: base64url(text.encode())),
    st.integers(1, 1400).map(lambda deep: base64url(b'{"a":' + b"[" * deep)),
)


@given(st.lists(PARTS, max_size=4), st.booleans())
def test_garbage_is_refused_and_nothing_else(parts: list[str], begins_well: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever stands in the header, it is refused with a verdict, not with an error of ours."""
    good = [encoded({"alg": "ES256", "kid": "a"})] if begins_well else []
    jwt = ".".join([*good, *parts])
    with pytest.raises(UnbelievedError):
        signatures.read([jwt], BODY, datetime.now(UTC))


def test_the_bodys_hash_is_compared_in_constant_time() -> None:
    """No comparison of it stops at the first difference."""
    source = inspect.getsource(signatures.read)
    assert "compare_digest" in source
    assert source.count("request_body_sha256") == 1

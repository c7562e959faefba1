"""Bad input: 4xx in the documented shape, nothing changed, and no secret repeated."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from harness import API_KEY, wait_until
from scenes import linked, person, query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

ROUTES = ("/plaid/link-token", "/plaid/exchange", "/plaid/sync")
VALID: dict[str, dict[str, Any]] = {
    "/plaid/link-token": {"user_id": "ada", "products": ["transactions"]},
    "/plaid/exchange": {"public_token": "public-sandbox-secret", "product": "transactions"},
    "/plaid/sync": {"access_token": "access-sandbox-secret"},
}
TABLES = ("users", "link_sessions", "exchange_claims", "items", "item_products", "sync_runs")
MIB = 1024 * 1024


@pytest.fixture
def before(api: Api, runtime: Runtime, bank: Running) -> Iterator[None]:
    """Prove that the test changed nothing and asked Plaid for nothing."""
    linked(api, bank, **person())
    wait_until(lambda: not query(runtime, "SELECT * FROM sync_runs WHERE finished_at IS NULL"))
    tables, calls = contents(runtime), bank.control.calls()
    yield
    assert contents(runtime) == tables
    assert bank.control.calls() == calls


def contents(runtime: Runtime) -> dict[str, list[Any]]:
    """Return every row of the tables that a request may write."""
    everything = "SELECT * FROM "
    return {table: sorted(map(str, query(runtime, everything + table))) for table in TABLES}


def post(api: Api, path: str, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    """POST bytes as JSON."""
    return api.client.post(
        path, content=content, headers={"Content-Type": "application/json", **headers}
    )


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    """Check that the answer is an error of the documented shape, with one of these statuses."""
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert error["code"].islower()
    assert error["message"].endswith(".")
    assert "Traceback" not in answer.text


@pytest.mark.usefixtures("before")
def test_bodies_that_are_no_json(api: Api) -> None:
    """Malformed JSON, no body, bytes that are no text and endless nesting are refused."""
    for path in ROUTES:
        for content in (b"{", b"{'a': 1}", b"\xff\xfe\x00", b"nonsense", b'{"user_id": "\xff"}'):
            assert_refused(post(api, path, content), 400, 422)
        assert_refused(post(api, path, b""), 400, 422)
        assert_refused(post(api, path, b"[" * 100_000), 400, 422)
        assert_refused(post(api, path, b'{"a":' * 100_000), 400, 422)
        assert_refused(post(api, path, b"9" * 100_000), 400, 422)
        valid = json.dumps(VALID[path]).encode()
        for other in ("text/plain", "application/x-www-form-urlencoded"):
            answer = post(api, path, valid, **{"Content-Type": other})
            assert_refused(answer, 400)
            assert "Content-Type application/json" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("before")
def test_bodies_of_another_shape(api: Api) -> None:
    """Wrong types, missing and unknown fields are refused, and named."""
    wrong: tuple[Any, ...] = (None, 1, 1.5, True, [], ["x"], {}, {"x": "y"}, "", "x" * 513)
    for path in ROUTES:
        others: tuple[Any, ...] = (None, 1, "text", [], [VALID[path]], [[]])
        for body in others:
            assert_refused(post(api, path, json.dumps(body).encode()), 422)
        for name in VALID[path]:
            for value in wrong:
                if name == "products" and value in ([], ["x"]):
                    continue
                answer = api.post(path, **{**VALID[path], name: value})
                assert_refused(answer, 422)
        for options in ({"wait": "yes"}, {"allow_removals": 1}, {"allow_duplicate": "true"}):
            assert_refused(api.post(path, **VALID[path], **options), 422)
        answer = api.post(path, **VALID[path], surprise=1)
        assert_refused(answer, 422)
        assert answer.json()["error"]["fields"][0]["field"] == "body.surprise"
    assert_refused(api.post("/plaid/link-token", user_id="ada", products=["x"] * 33), 422)


@pytest.mark.usefixtures("before")
def test_what_no_database_can_store(api: Api) -> None:
    """NUL characters and lone surrogates are refused wherever a text may stand, names included."""
    for path in ROUTES:
        for bad in ("\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800"):
            for name in VALID[path]:
                value = f'["{bad}"]' if name == "products" else f'"{bad}"'
                fields = json.dumps({k: v for k, v in VALID[path].items() if k != name})
                body = f'{{"{name}": {value}{", " if fields != "{}" else ""}{fields[1:]}'
                assert_refused(post(api, path, body.encode()), 400, 422)
            valid = json.dumps(VALID[path])
            body = f'{{"{bad}": 1, {valid[1:]}'
            assert_refused(post(api, path, body.encode()), 400, 422)


@pytest.mark.usefixtures("before")
def test_queries_of_another_shape(api: Api) -> None:
    """Each filter refuses what it can't mean, without a word from the database."""
    bad = {
        "user_id": ["", "\0", "x" * 513],
        "item_id": ["", "\0"],
        "account_id": ["", "a\0b"],
        "start_date": ["yesterday", "2026-13-01", "0000-00-00", "-1", "\0"],
        "end_date": ["2026-02-30", "99999-01-01"],
        "pending": ["maybe", "\0"],
        "personal_finance_category": ["", "\0"],
        "min_amount": ["x", "NaN", "Infinity", "1e200000", "\0", "9" * 400],
        "max_amount": ["-Infinity", "1e999999999", "1e-200000"],
        "q": ["", "\0"],
        "limit": ["0", "1e3", "9" * 40],
        "cursor": ["\0", ""],
    }
    for name, values in bad.items():
        for value in values:
            assert_refused(api.get("/plaid/transactions", **{name: value}), 422)
    for name in ("user_id", "item_id"):
        for value in bad[name]:
            assert_refused(api.get("/plaid/accounts", **{name: value}), 422)
    assert_refused(api.get("/plaid/transactions", account_id=["a"] * 101), 422)
    assert_refused(api.get("/plaid/runs/7"), 422)
    assert_refused(api.get("/plaid/runs/%00"), 422)


def test_extreme_dates_and_amounts_are_fine(api: Api) -> None:
    """What can be meant is answered, however far away."""
    for filters in (
        {"start_date": "0001-01-01", "end_date": "9999-12-31"},
        {"min_amount": "-999999999999.99", "max_amount": "0.0000001"},
        {"q": "%_\\'\";--"},
        {"q": "\U0001f600" * 100},
    ):
        assert api.get("/plaid/transactions", **filters).json()["transactions"] == []


@pytest.mark.usefixtures("before")
def test_bodies_over_one_mebibyte(api: Api) -> None:
    """Too large a body is refused, whether its size is declared or not."""

    def chunks() -> Iterator[bytes]:
        yield b'{"user_id": "'
        for _ in range(17):
            yield b"x" * 65536
        yield b'"}'

    for path in ROUTES:
        assert_refused(post(api, path, b'"' + b"x" * MIB + b'"'), 413)
        assert_refused(post(api, path, chunks()), 413)


@pytest.mark.usefixtures("before")
def test_a_declared_size_is_enough(api: Api) -> None:
    """A body that claims to be huge is refused before a byte of it is read."""
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as connection:
        connection.sendall(
            b"POST /plaid/sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer "
            + API_KEY.encode()
            + b"\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


@pytest.mark.usefixtures("before")
def test_without_a_valid_key(api: Api) -> None:
    """No key, a wrong one, another scheme, or one that is no text: 401 on every path but health."""
    keys = (
        "",
        "Bearer",
        "Bearer wrong-key-0123456789",
        f"Basic {API_KEY}",
        f"bearer{API_KEY}",
        f"Bearer {API_KEY}x",
        "Bearer bl_12345678_wrong",
        "Bearer \xe4\xff",
    )
    paths = ("/plaid/accounts", "/plaid/transactions", "/plaid/runs/x", *ROUTES)
    with httpx.Client(base_url=api.url) as stranger:
        for headers in ({}, *({b"Authorization": key.encode("latin-1")} for key in keys)):
            for path in paths:
                answer = (
                    stranger.post(path, json=VALID[path], headers=headers)
                    if path in VALID
                    else stranger.get(path, headers=headers)
                )
                assert_refused(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert stranger.get("/healthz").is_success
        assert stranger.head("/healthz").is_success


@pytest.mark.usefixtures("before")
def test_paths_and_methods_that_do_not_exist(api: Api) -> None:
    """Unknown paths are 404, known ones with another method 405, in the shape of every error."""
    for path in ("/plaid", "/plaid/", "/plaid/nothing", "/plaid/accounts/x", "/%00"):
        assert_refused(api.get(path), 404)
        assert_refused(api.post(path), 404)
    for path in ROUTES:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert_refused(api.client.request(method, path), 405)
    assert_refused(api.post("/plaid/accounts"), 405)


def test_secrets_are_not_repeated(api: Api) -> None:
    """No refusal repeats what stood in a secret's field, however wrong the rest was."""
    secret = "s3cr3t-" + "0123456789" * 3
    for path in ROUTES:
        for name in ("public_token", "link_token", "access_token"):
            for value in (secret, [secret], {secret: secret}, secret + "\0", secret * 20):
                for more in ({}, {"user_id": 7}, {"item_id": "x", "product": 7}, {"wait": secret}):
                    answer = api.post(path, **{name: value, **more})
                    assert 400 <= answer.status_code < 500, answer.text
                    assert secret not in answer.text
    answer = post(api, "/plaid/exchange", f'{{"public_token": "{secret}",,}}'.encode())
    assert secret not in answer.text


def test_a_broken_database_is_not_told_in_detail(api: Api, runtime: Runtime) -> None:
    """What went wrong inside stays in the log: the caller gets a code and a sentence."""
    query(runtime, "ALTER TABLE accounts RENAME TO elsewhere")
    answer = api.get("/plaid/accounts")
    assert_refused(answer, 500)  # 503 would say that trying again helps
    assert "relation" not in answer.text

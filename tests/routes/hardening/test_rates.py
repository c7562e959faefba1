"""How often a key may call, and how often an address may show keys that are none; behind a proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy

from harness import API_KEY, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from bankloom.services.runtime import Runtime
    from harness import Api

CALLS, GUESSES = 8, 3


@pytest.fixture
def limited(
    module_database_url: str, tmp_path: Path, more_settings: dict[str, Any]
) -> Iterator[tuple[Api, Runtime]]:
    """A service of its own for each test: each counts from nothing."""
    limits = {"requests_per_minute": CALLS, "bad_keys_per_minute": GUESSES, **more_settings}
    settings = settings_for("http://127.0.0.1:1", module_database_url, tmp_path, **limits)
    with serving(settings, with_worker=False) as service:
        yield service


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    """The tests are a proxy, so that they can be callers of many addresses."""
    return {"trusted_proxies": "127.0.0.1/32"}


def call(api: Api, key: str = API_KEY, address: str = "198.51.100.1") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
    return api.client.get("/plaid/accounts", headers=headers)


def statuses(api: Api, count: int, **how: str) -> list[int]:
    return [call(api, **how).status_code for _ in range(count)]


def test_a_key_may_call_so_often(limited: tuple[Api, Runtime]) -> None:
    """Each answer says what is left; one call more is refused, from wherever, and says when to repeat."""
    api, _ = limited
    left = []
    for _ in range(CALLS):
        answer = call(api)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == f'"key";q={CALLS};w=60'
        left.append(int(re.findall(r'^"key";r=(\d+);t=\d+$', answer.headers["ratelimit"])[0]))
    assert left == list(range(CALLS - 1, -1, -1))
    refused = call(api, address="198.51.100.2")
    assert refused.status_code == 429
    seconds = int(refused.headers["retry-after"])
    error = refused.json()["error"]
    assert (error["code"], error["retry_after_seconds"]) == ("too_many_requests", seconds)
    assert 1 <= seconds <= 60 / CALLS + 1
    assert re.fullmatch(r'"key";r=0;t=\d+', refused.headers["ratelimit"])
    assert API_KEY not in refused.text


def test_whoever_guesses_is_not_looked_at_for_long(limited: tuple[Api, Runtime]) -> None:
    """After a few wrong keys an address's next ones cost no query; other addresses are not concerned."""
    api, runtime = limited
    queries: list[str] = []
    sqlalchemy.event.listen(
        runtime.database.engine, "before_cursor_execute", lambda *args: queries.append(args[2])
    )
    assert statuses(api, GUESSES, key="wrong-key-0123456789") == [401] * GUESSES
    assert queries
    queries.clear()
    refused = call(api, key="another-key-0123456789")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert queries == []
    assert call(api, key="wrong-key-0123456789", address="198.51.100.2").status_code == 401


def test_a_good_key_outlives_its_neighbours(limited: tuple[Api, Runtime]) -> None:
    """Who has called with a good key goes on, though somebody guesses at the same address."""
    api, _ = limited
    assert call(api).status_code == 200
    assert statuses(api, GUESSES + 1, key="wrong-key-0123456789") == [401] * GUESSES + [429]
    assert call(api).status_code == 200


def test_an_ipv6_network_is_one_caller(limited: tuple[Api, Runtime]) -> None:
    """Whoever holds a network of 2**64 addresses has no more guesses for it."""
    api, _ = limited
    places = [f"2001:db8:1:2::{number}" for number in range(GUESSES + 1)]
    found = [call(api, "wrong-key-0123456789", place).status_code for place in places]
    assert found == [401] * GUESSES + [429]
    assert call(api, "wrong-key-0123456789", "2001:db8:1:3::1").status_code == 401


def test_health_and_webhooks_are_not_counted(limited: tuple[Api, Runtime]) -> None:
    """A burst of Plaid's from one address passes, and so do probes."""
    api, _ = limited
    told = [api.client.post("/plaid/webhook", json={}).status_code for _ in range(3 * CALLS)]
    assert set(told) == {401}
    assert {api.get("/healthz").status_code for _ in range(3 * CALLS)} == {200}


def test_a_proxys_word_is_taken(limited: tuple[Api, Runtime]) -> None:
    """What it says of the scheme decides whether browsers are bound to TLS."""
    api, _ = limited
    for scheme, header in (("https", "max-age=31536000"), ("http", None)):
        answer = api.client.get("/healthz", headers={"X-Forwarded-Proto": scheme})
        assert answer.headers.get("strict-transport-security") == header


def test_nobody_elses_word_is_taken(module_database_url: str, tmp_path: Path) -> None:
    """Where no proxy is trusted, a caller can't change its address to go on guessing."""
    settings = settings_for(
        "http://127.0.0.1:1", module_database_url, tmp_path, bad_keys_per_minute=GUESSES
    )
    with serving(settings, with_worker=False) as (api, _):
        places = [f"198.51.100.{number}" for number in range(GUESSES + 1)]
        found = [call(api, "wrong-key-0123456789", place).status_code for place in places]
    assert found == [401] * GUESSES + [429]

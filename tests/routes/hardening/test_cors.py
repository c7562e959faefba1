"""Pages of other origins: closed, unless the operator names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import API_KEY, serving, settings_for

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from harness import Api

OURS = "https://app.example.com"
ALLOWED = "access-control-allow-origin"


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    return {"cors_origins": f"{OURS},http://localhost:3000"}


def preflight(api: Api, origin: str, method: str = "GET") -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return api.client.options("/plaid/accounts", headers=headers)


def test_a_named_origin_may_call(walled: Api) -> None:
    """Its pages may send a key, read errors too, and see what is left to them; no cookie goes along."""
    asked = preflight(walled, OURS)
    assert (asked.status_code, asked.headers[ALLOWED]) == (200, OURS)
    for path, status in (
        ("/plaid/accounts", 200),
        ("/plaid/accounts?limit=x", 422),
        ("/nowhere", 404),
    ):
        answer = walled.client.get(path, headers={"Origin": OURS})
        assert (answer.status_code, answer.headers[ALLOWED]) == (status, OURS)
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{OURS}.evil.example", "http://app.example.com"]
)
def test_another_origin_may_not(walled: Api, origin: str) -> None:
    """Its question is refused in the shape of every error, and no answer is let through to it."""
    refused = preflight(walled, origin)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "origin_refused")
    assert ALLOWED not in refused.headers
    assert ALLOWED not in walled.client.get("/plaid/accounts", headers={"Origin": origin}).headers


def test_a_method_that_no_route_has_is_refused(walled: Api) -> None:
    """A named origin may ask for what there is."""
    assert preflight(walled, OURS, "PATCH").status_code == 403


def test_without_the_setting_all_are_refused(database_url: str, tmp_path: Path) -> None:
    """No origin is let through, and there is nobody to ask; with `*` all are, without cookies."""
    for origins, allowed in (("", None), ("*", "*")):
        settings = settings_for("http://127.0.0.1:1", database_url, tmp_path, cors_origins=origins)
        with serving(settings, with_worker=False) as (api, _):
            answer = api.client.get("/plaid/accounts", headers={"Origin": OURS, "Cookie": "a=b"})
            assert answer.headers.get(ALLOWED) == allowed
            assert "access-control-allow-credentials" not in answer.headers
            assert preflight(api, OURS).status_code == (200 if allowed else 405)
            assert answer.request.headers["authorization"] == f"Bearer {API_KEY}"

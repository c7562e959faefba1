"""Every answer carries what a browser must hold to: a policy, no guessing, no keeping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bankloom.core.settings import PlaidSettings
from bankloom.routes.hardening import content_policy

if TYPE_CHECKING:
    import httpx

    from harness import Api

OF_DATA = "default-src 'none'; frame-ancestors 'none'"
PRIVATE = (
    "/plaid/accounts",
    "/plaid/accounts?limit=x",
    "/nowhere",
    "/docs",
    "/openapi.json",
    "/metrics",
)
ANYBODYS = ("/healthz", "/static-offline-docs/swagger-ui.css")


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """Return the directives of an answer's one policy."""
    (policy,) = answer.headers.get_list("content-security-policy")
    return dict(part.split(" ", 1) for part in policy.split("; "))


@pytest.mark.parametrize("path", [*PRIVATE, *ANYBODYS])
def test_every_answer_is_walled_in(walled: Api, path: str) -> None:
    """Data may load nothing, nobody may frame it, and neither type nor address is guessed or told."""
    answer = walled.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    if path != "/docs":
        assert answer.headers["content-security-policy"] == OF_DATA


def test_a_page_runs_only_what_bears_its_nonce(walled: Api) -> None:
    """No inline script or style, nothing from elsewhere, no frame around it; each answer's nonce is new."""
    answer = walled.get("/docs")
    policy = policy_of(answer)
    nonce = policy["script-src"].removeprefix("'self' 'nonce-").removesuffix("'")
    assert f'<script nonce="{nonce}">' in answer.text
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{nonce}'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert policy_of(walled.get("/docs")) != policy


@pytest.mark.parametrize("path", PRIVATE)
def test_nobody_keeps_what_is_private(walled: Api, path: str) -> None:
    """Answers and errors are not stored by browsers and proxies."""
    assert walled.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ANYBODYS)
def test_what_anybody_may_see_may_be_kept(walled: Api, path: str) -> None:
    """The packaged files and the health checks don't forbid it."""
    assert "cache-control" not in walled.get(path).headers


def test_without_tls_nobody_is_bound_to_it(walled: Api) -> None:
    """A service that is reached over plain HTTP does not say otherwise, whatever a caller claims."""
    answer = walled.client.get("/healthz", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("settings", "script", "frame", "connect"),
    [
        (
            {"env": "production"},
            "https://cdn.plaid.com/link/v2/stable/link-initialize.js",
            "https://cdn.plaid.com",
            "https://production.plaid.com",
        ),
        (
            {"base_url": "http://127.0.0.1:8080/"},
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080",
        ),
    ],
)
def test_a_page_with_link_lets_plaid_in(
    settings: dict[str, Any], script: str, frame: str, connect: str
) -> None:
    """Plaid's documented hosts, or the stand-in's, and nothing but them; a bank's window may come back."""
    sources = content_policy.link_sources(PlaidSettings(_env_file=None, **settings))
    headers = {
        name.decode(): value.decode() for name, value in content_policy.of_page("n", sources)
    }
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["script-src"] == f"'self' 'nonce-n' {script}"
    assert policy["frame-src"] == frame
    assert policy["connect-src"] == f"'self' {connect}"
    assert policy["style-src"] == "'self' 'nonce-n'"
    assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"

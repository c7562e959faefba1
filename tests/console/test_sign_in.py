"""Signing in to the console: by a code that is good once or an API key, with a session that ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bankloom.cli.signin import sign_in_link
from bankloom.models import ApiKey, Scope, User
from bankloom.services import console_access, prune
from chromium_browser import browser
from form_browser import Browser
from harness import API_KEY, serving
from scenes import query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime


Service = tuple[str, "Runtime"]


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[str, Runtime]]:
    """The URL of a service without a worker, and its parts."""
    with serving(settings, with_worker=False) as (api, runtime):
        yield api.url, runtime


def test_a_code_signs_in_once(service: Service) -> None:
    """The link's code makes its reader the operator; a second reader gets nothing."""
    url, runtime = service
    code = console_access.new_code(runtime)
    with Browser(url) as first, Browser(url) as second:
        assert first.get("/").url.path == "/console/signin"
        page = first.sign_in(code)
        assert (page.status_code, page.url.path) == (200, "/console")
        assert "the operator" in page.text
        refused = second.sign_in(code)
        assert (refused.status_code, code in refused.text) == (401, False)
        assert second.get("/console").url.path == "/console/signin"


def test_what_no_database_stores_is_refused(service: Service) -> None:
    """A NUL or half a character in a form is a bad request, which a stranger can't make our failure."""
    url, _ = service
    odd = "multipart/form-data; boundary=b; charset=utf-7"
    part = '--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n+2AA-\r\n--b--\r\n'
    with Browser(url) as browser:
        assert browser.sign_in("bl_\0").status_code == 422
        answer = browser.post("/console/signin", content=part, headers={"Content-Type": odd})
        assert answer.status_code == 422


def test_a_code_is_good_for_a_quarter_of_an_hour(service: Service) -> None:
    """Later it opens nothing, and is forgotten."""
    url, runtime = service
    code = console_access.new_code(runtime)
    query(runtime, "UPDATE sign_in_codes SET expires_at = now()")
    with Browser(url) as browser:
        assert browser.sign_in(code).status_code == 401
    query(runtime, "DELETE FROM chores")
    prune.now(runtime)
    assert query(runtime, "SELECT * FROM sign_in_codes") == []


def test_a_session_is_worth_what_its_key_is(service: Service) -> None:
    """It shows the key's person and scopes, and ends at once when the key is revoked."""
    url, runtime = service
    with runtime.database.session() as session:
        ada = User.get_or_create(session, "ada").id
        key, row = ApiKey.create(session, "ada's", ada, scopes=[Scope.READ])
    with Browser(url) as browser:
        page = browser.sign_in(key).text
        assert all(shown in page for shown in (row.prefix, "ada", "read"))
        assert key not in page
        query(runtime, "UPDATE api_keys SET revoked_at = now()")
        assert browser.get("/console").url.path == "/console/signin"


def test_the_settings_key_signs_in_until_it_is_changed(service: Service) -> None:
    """Whoever changes BANKLOOM_API_KEY has ended the sessions of the old one."""
    url, runtime = service
    with Browser(url) as browser:
        assert "everyone" in browser.sign_in(API_KEY).text
        query(runtime, "UPDATE console_sessions SET settings_key_hash = 'of another key'")
        assert browser.get("/console").url.path == "/console/signin"


def test_signing_out_ends_the_session_everywhere(service: Service) -> None:
    """A copied cookie is worth nothing afterwards; nor is one of before signing in."""
    url, runtime = service
    with Browser(url) as browser, Browser(url) as thief:
        browser.get("/console/signin")
        fixed = browser.cookies["bankloom"]
        browser.sign_in(API_KEY)
        assert browser.cookies["bankloom"] != fixed
        thief.cookies.set("bankloom", browser.cookies["bankloom"])
        assert "everyone" in thief.get("/console").text
        browser.submit("/console", "/console/signout")
        for each in (browser, thief):
            assert each.get("/console").url.path == "/console/signin"
        thief.cookies.set("bankloom", fixed)
        assert thief.get("/console").url.path == "/console/signin"
    assert query(runtime, "SELECT * FROM console_sessions") == []


def test_all_sessions_can_be_ended(service: Service) -> None:
    """As after a theft: whoever is signed in is not any more, and no link that lies about is good."""
    url, runtime = service
    code = console_access.new_code(runtime)
    with Browser(url) as browser, Browser(url) as thief:
        browser.sign_in(console_access.new_code(runtime))
        assert console_access.end_all(runtime) == 1
        assert browser.get("/console").url.path == "/console/signin"
        assert thief.sign_in(code).status_code == 401
        browser.sign_in(API_KEY)
        browser.submit("/console", "/console/signout")
    noted = [row.action for row in query(runtime, "SELECT action FROM audit_entries ORDER BY at")]
    assert noted[2:] == ["signed_in", "sessions.ended", "signed_in", "signed_out"]


def test_a_forged_form_changes_nothing(service: Service) -> None:
    """Without the token, with a stranger's, or with one of another session: 403, in words, on a page."""
    url, _ = service
    with Browser(url) as browser, Browser(url) as other:
        other.get("/console/signin")
        theirs = re.search(r'value="([^"]+)"', other.get("/console/signin").text)
        assert theirs
        for token in ({}, {"csrf_token": "x"}, {"csrf_token": theirs[1]}):
            answer = browser.post("/console/signin", data={"given": API_KEY, **token})
            assert (answer.status_code, "out of date" in answer.text) == (403, True)
        browser.sign_in(API_KEY)
        assert browser.post("/console/signout", data={"csrf_token": theirs[1]}).status_code == 403
        assert "everyone" in browser.get("/console").text


def test_the_cookie(service: Service) -> None:
    """Scripts can't read it, other sites don't send it with forms, a changed one is a stranger's."""
    url, _ = service
    with Browser(url) as browser:
        told = browser.get("/console/signin").headers["set-cookie"]
        assert all(word in told for word in ("HttpOnly", "SameSite=lax", "Path=/"))
        browser.sign_in(API_KEY)
        name, _, signature = browser.cookies["bankloom"].rpartition("~")
        for forged in (name, f"{name}~", f"{name}x~{signature}", f"{name}~{signature[:-2]}AA"):
            with Browser(url) as thief:
                thief.cookies.set("bankloom", forged)
                assert thief.get("/console").url.path == "/console/signin"


def test_neither_codes_nor_sessions_are_stored(service: Service) -> None:
    """Who reads the tables can't sign in."""
    url, runtime = service
    code = console_access.new_code(runtime)
    with Browser(url) as browser:
        browser.sign_in(API_KEY)
        cookie = browser.cookies["bankloom"]
    session_id = cookie.partition(".")[2].rpartition("~")[0]
    rows = str(query(runtime, "SELECT * FROM sign_in_codes")) + str(
        query(runtime, "SELECT * FROM console_sessions")
    )
    assert len(session_id) > 40
    assert code not in rows
    assert session_id not in rows


def test_the_link_in_a_real_browser(service: Service) -> None:
    """It signs in by itself and leaves no code in the address; without JavaScript the code is pasted.

    Nothing breaks the policy, and nothing is asked of another host.
    """
    url, runtime = service
    said: list[str] = []
    asked: list[str] = []
    with browser() as chromium:
        page = chromium.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        code = console_access.new_code(runtime)
        page.goto(sign_in_link(url, code))
        page.get_by_role("heading", name="You are signed in").wait_for()
        assert page.url == f"{url}/console"
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()
        plain = chromium.new_context(java_script_enabled=False).new_page()
        plain.goto(f"{url}/")
        plain.get_by_label("One-time code or API key").fill(console_access.new_code(runtime))
        plain.get_by_role("button", name="Sign in").click()
        plain.get_by_role("heading", name="You are signed in").wait_for()
    assert said == []
    assert not any(code in each for each in asked)
    assert [each for each in asked if not each.startswith((url, "data:"))] == []

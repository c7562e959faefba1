"""Link's pages without a browser: their headers, their addresses, and buttons pressed out of turn."""

import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from platypus_bank.testing import Running, running

APP = "http://localhost:3000"


def read(url: str, **fields: str) -> tuple[int, str, Any]:
    """GET a page, or POST a form, and follow to the last: (status, text, headers)."""
    body = urlencode(fields).encode() if fields else None
    try:
        with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, f"{answer.url}\n{answer.read().decode()}", answer.headers
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode(), refusal.headers


def begin(bank: Running, token: str) -> str:
    """Open Link and return the address of the walk."""
    query = urlencode({"token": token, "origin": APP})
    _, text, _ = read(f"{bank.url}/link/v2/stable/link.html?{query}")
    return text.splitlines()[0]


def heading(text: str) -> str:
    [found] = re.findall("<h1[^>]*>(.*?)</h1>", text)
    return str(found)


def test_the_script_knows_its_server(bank: Running) -> None:
    _, text, headers = read(f"{bank.url}/link/v2/stable/link-initialize.js")
    assert f'window.PLATYPUS_URL || "{bank.url}"' in text
    assert headers["Content-Type"].startswith("text/javascript")


def test_only_the_app_and_this_machine_may_frame_a_pane(api: Any, bank: Running) -> None:
    _, _, headers = read(begin(bank, api.link_token()))
    policy = headers["Content-Security-Policy"].split("; ")
    assert "script-src 'self'" in policy
    assert policy[-1] == (f"frame-ancestors 'self' {APP} http://localhost:* http://127.0.0.1:*")


@pytest.mark.parametrize("origin", ["", "null", "javascript:x", "http://a b; script-src *"])
def test_a_page_that_is_no_web_page_is_refused(api: Any, bank: Running, origin: str) -> None:
    query = urlencode({"token": api.link_token(), "origin": origin})
    assert read(f"{bank.url}/link/v2/stable/link.html?{query}")[0] == 400


def test_what_people_type_is_no_html(api: Any, bank: Running) -> None:
    walk = begin(bank, api.link_token(client_name="<b>&</b>"))
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in read(walk)[1]
    read(walk, step="continue")
    text = read(walk, step="search", query="</script><script>x()")[1]
    assert "<script>x()" not in text


def test_a_button_of_another_pane_does_nothing(api: Any, bank: Running) -> None:
    """As when it is pressed twice, or on a page that was left by the browser's Back."""
    walk = begin(bank, api.link_token())
    assert heading(read(walk, step="continue")[1]) == "Choose your bank"
    for step in ("continue", "share", "finish", "retry", "nonsense"):
        assert heading(read(walk, step=step)[1]) == "Choose your bank"
    assert bank.control.items() == []


def test_a_walk_ends_once(api: Any, bank: Running) -> None:
    token = api.link_token()
    walk = begin(bank, token)
    for _ in range(2):
        assert heading(read(f"{walk}/leave", leave="1")[1]) == "You have left Link"
    assert heading(read(walk, step="continue")[1]) == "You have left Link"
    assert len(api.post("/link/token/get", link_token=token)["link_sessions"]) == 1


def test_an_unknown_walk_is_gone(bank: Running) -> None:
    for path in ("", "/leave", "/bank"):
        assert read(f"{bank.url}/link/walks/nobody{path}")[0] == 404


def test_a_bank_that_nobody_has_is_an_error(api: Any, bank: Running) -> None:
    walk = begin(bank, api.link_token())
    read(walk, step="continue")
    assert heading(read(walk, step="choose", institution_id="ins_0")[1]) == "That did not work"


def test_a_removed_item_cannot_be_repaired(api: Any, bank: Running) -> None:
    access, _ = api.item()
    token = api.link_token(access_token=access, products=None)
    api.post("/item/remove", access_token=access)
    assert "ITEM_NOT_FOUND" in read(begin(bank, token))[1]


def test_a_walk_is_found_in_its_clients_world(api: Any, bank: Running) -> None:
    """A browser names no client; the server knows whose link token it is."""
    api.headers["PLAID-CLIENT-ID"] = "another-client"
    try:
        assert heading(read(begin(bank, api.link_token()))[1]) == "Tests wants to connect your bank"
    finally:
        bank.control.end_world("another-client")


def test_a_restart_forgets_no_step(api: Any, tmp_path: Any) -> None:
    with running(tmp_path, client_id="some-client") as bank:
        api.bank = bank
        walk = begin(bank, api.link_token())
        read(walk, step="continue")
        read(walk, step="choose", institution_id="ins_109511")
        read(walk, step="log_in", username="user_good", password="mfa_device")
        read(walk, step="answer", answer_0="Text message to xxx-xxx-5309")
        bank.restart()
        assert "The code is always" in read(walk)[1]
        assert heading(read(walk, step="answer", answer_0="1234")[1]) == "Choose accounts"

"""Hosted Link and multi-Item Link: URLs, sessions, and the webhooks that tell of them."""

import urllib.error
import urllib.request
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from plaid.model.link_token_get_request import LinkTokenGetRequest

from platypus_bank.receiver import until
from platypus_bank.testing import ControlError

INVALID_FIELD = (400, "INVALID_REQUEST", "INVALID_FIELD")


def create(api: Any, **fields: Any) -> Any:
    body = {
        "client_name": "Tests",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "person-1"},
        "products": ["transactions"],
        **fields,
    }
    return api.post("/link/token/create", **body)


def sessions(api: Any, link_token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post("/link/token/get", link_token=link_token)[
        "link_sessions"
    ]
    return found


def by_code(receiver: Any, *codes: str) -> dict[str, list[Any]]:
    """Wait until a webhook of each of these codes has come; return all by code, as they arrived."""
    until(lambda: set(codes) <= set(receiver.codes()))
    found: dict[str, list[Any]] = {}
    for each in list(receiver.received):
        found.setdefault(each.code, []).append(each)
    return found


def read(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


@pytest.mark.parametrize(
    ("hosted", "seconds"),
    [({}, 1800), ({"url_lifetime_seconds": 600}, 600), ({"delivery_method": "sms"}, 1800)],
)
def test_a_hosted_token_has_a_url_and_a_lifetime(
    api: Any, bank: Any, hosted: dict[str, Any], seconds: int
) -> None:
    made = create(api, hosted_link=hosted)
    now = datetime.fromisoformat(bank.control.clock()["now"])
    expires = datetime.fromisoformat(made["expiration"])
    assert (expires - now).total_seconds() == pytest.approx(seconds, abs=5)
    assert made["hosted_link_url"].startswith(bank.url + "/hl/")
    status, text = read(made["hosted_link_url"])
    assert (status, "Tests wants to connect your bank" in text) == (200, True)
    bank.control.advance(seconds)
    assert read(made["hosted_link_url"])[0] == 404
    assert read(bank.url + "/hl/nothing")[0] == 404


def test_other_tokens_have_no_url(api: Any, bank: Any) -> None:
    made = create(api)
    assert "hosted_link_url" not in made.body
    assert read(made["link_token"].replace("link-sandbox-", bank.url + "/hl/"))[0] == 404


@pytest.mark.parametrize("seconds", [0, -1, 21 * 86_400 + 1, "600"])
def test_a_url_lives_at_most_three_weeks(api: Any, seconds: Any) -> None:
    assert create(api, hosted_link={"url_lifetime_seconds": seconds}).error == INVALID_FIELD


def test_a_hosted_session_tells_by_webhook_and_by_polling(
    api: Any, bank: Any, typed: Any, receiver: Any, read_webhook: Any
) -> None:
    token = create(api, hosted_link={}, webhook=receiver.url)["link_token"]
    assert sessions(api, token) == []
    done = bank.control.complete_link(token, institution_id="ins_109511")
    came = by_code(receiver, "ITEM_ADD_RESULT", "SESSION_FINISHED", "EVENTS")
    added = read_webhook("item_add_result_webhook", came["ITEM_ADD_RESULT"][0])
    finished = read_webhook("link_session_finished_webhook", came["SESSION_FINISHED"][0])
    events = read_webhook("link_events_webhook", came["EVENTS"][0])
    for each in (added, finished, events):
        assert (each.link_token, each.link_session_id) == (token, done["link_session_id"])
    assert added.public_token == done["public_token"]
    assert (finished.status, finished.public_tokens) == ("SUCCESS", [done["public_token"]])
    shown = typed.link_token_get(LinkTokenGetRequest(link_token=token)).link_sessions[0]
    assert shown.results.item_add_results[0].public_token == done["public_token"]
    assert shown.finished_at is not None
    names = [each.event_name for each in shown.events]
    assert names == ["HANDOFF", "SUBMIT_CREDENTIALS", "SELECT_INSTITUTION", "TRANSITION_VIEW"]
    assert [each.event_id for each in events.events] == [each.event_id for each in shown.events]
    assert shown.events[0].event_metadata.institution_name == "Tartan Bank"


def test_other_sessions_tell_nothing(api: Any, bank: Any, receiver: Any) -> None:
    token = create(api, webhook=receiver.url)["link_token"]
    bank.control.complete_link(token)
    bank.control.exit_link(token)
    until(lambda: set(bank.control.webhook_states()) <= {"delivered"})
    assert {each["webhook_type"] for each in bank.control.webhooks()} <= {"TRANSACTIONS"}
    assert [each["events"] for each in sessions(api, token)] == [[], []]


def leave(api: Any, bank: Any, **fields: Any) -> tuple[str, str]:
    """Leave Link at Tartan Bank; returns link token and session id."""
    token = str(create(api, **fields)["link_token"])
    left = bank.control.exit_link(
        token, institution_id="ins_109511", error_code="INSTITUTION_DOWN", status="requires_code"
    )
    return token, left["link_session_id"]


def test_an_exit_is_recorded(api: Any, bank: Any, typed: Any) -> None:
    token, session_id = leave(api, bank)
    [shown] = typed.link_token_get(LinkTokenGetRequest(link_token=token)).link_sessions
    assert shown.results.item_add_results == []
    assert shown.finished_at is not None
    assert str(shown.exit.error.error_type) == "INSTITUTION_ERROR"
    assert shown.exit.error.error_code == "INSTITUTION_DOWN"
    metadata = shown.exit.metadata
    assert (metadata.institution.institution_id, metadata.status, metadata.link_session_id) == (
        "ins_109511", "requires_code", session_id,
    )  # fmt: skip


def test_a_hosted_exit_is_told(api: Any, bank: Any, receiver: Any, read_webhook: Any) -> None:
    token, _ = leave(api, bank, hosted_link={}, webhook=receiver.url)
    finished = by_code(receiver, "SESSION_FINISHED")["SESSION_FINISHED"][0]
    told = read_webhook("link_session_finished_webhook", finished)
    assert (told.status, told.public_tokens) == ("EXITED", [])
    [session] = sessions(api, token)
    last = session["events"][0]
    assert (last["event_name"], last["event_metadata"]["exit_status"]) == ("EXIT", "requires_code")
    assert last["event_metadata"]["error_code"] == "INSTITUTION_DOWN"


def test_an_exit_without_an_error(api: Any, bank: Any, typed: Any) -> None:
    token = create(api)["link_token"]
    bank.control.exit_link(token)
    [shown] = typed.link_token_get(LinkTokenGetRequest(link_token=token)).link_sessions
    assert shown.exit.error is None
    assert shown.exit.metadata.institution is None
    with pytest.raises(ControlError):
        bank.control.exit_link(token, status="bored")


def test_a_multi_item_session_adds_several(api: Any, bank: Any, receiver: Any) -> None:
    token = create(api, enable_multi_item_link=True, webhook=receiver.url)["link_token"]
    first = bank.control.complete_link(token, finish=False)
    [open_] = sessions(api, token)
    assert open_["finished_at"] is None
    second = bank.control.complete_link(token, institution_id="ins_109511", finish=False)
    bank.control.advance(6 * 3600)  # an open session is not forgotten
    [still_open] = sessions(api, token)
    assert still_open["finished_at"] is None
    assert first["link_session_id"] == second["link_session_id"]
    public_tokens = [first["public_token"], second["public_token"]]
    assert [each["public_token"] for each in still_open["results"]["item_add_results"]] == (
        public_tokens
    )


@pytest.mark.parametrize("last", ["complete_link", "exit_link"])
def test_a_multi_item_session_ends_once(
    api: Any, bank: Any, receiver: Any, read_webhook: Any, last: str
) -> None:
    """Leaving after an Item was added is a success (ours)."""
    token = create(api, enable_multi_item_link=True, webhook=receiver.url)["link_token"]
    first = bank.control.complete_link(token, finish=False)
    ended = getattr(bank.control, last)(token)
    public_tokens = [first["public_token"]]
    if last == "complete_link":
        public_tokens.append(ended["public_token"])
    link = [each for each in bank.control.webhooks() if each["webhook_type"] == "LINK"]
    assert [each["webhook_code"] for each in link] == (
        ["ITEM_ADD_RESULT"] * len(public_tokens) + ["SESSION_FINISHED"]
    )
    until(lambda: "SESSION_FINISHED" in receiver.codes())
    finished = next(each for each in receiver.received if each.code == "SESSION_FINISHED")
    told = read_webhook("link_session_finished_webhook", finished)
    assert (told.status, told.public_tokens) == ("SUCCESS", public_tokens)
    [session] = sessions(api, token)
    assert session["finished_at"] is not None
    assert "exit" not in session


def test_a_hosted_repair_adds_no_item(api: Any, bank: Any, receiver: Any) -> None:
    """Its token's webhook is told that it ended, else the Item's; the public token is no use."""
    access, item_id = api.item(webhook=receiver.url)
    api.post("/sandbox/item/reset_login", access_token=access)
    made = create(api, access_token=access, products=None, hosted_link={})
    done = bank.control.complete_link(made["link_token"])
    assert api.post("/item/get", access_token=access)["item"]["error"] is None
    assert [each["item_id"] for each in bank.control.items()] == [item_id]
    link = [each for each in bank.control.webhooks() if each["webhook_type"] == "LINK"]
    assert [each["webhook_code"] for each in link] == ["EVENTS", "SESSION_FINISHED"]
    [session] = sessions(api, made["link_token"])
    assert session["results"]["item_add_results"][0]["public_token"] == done["public_token"]
    exchanged = api.post("/item/public_token/exchange", public_token=done["public_token"])
    assert exchanged.error == (400, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN")


def walk(api: Any, bank: Any, **query: str) -> str:
    """Open Link as its script does; returns the URL of the walk."""
    asked = {"origin": "http://localhost", "token": create(api)["link_token"], **query}
    with urllib.request.urlopen(f"{bank.url}/link/v2/stable/link.html?{urlencode(asked)}") as page:  # noqa: S310 - our own server
        found: str = page.url
    return found


def press(url: str, body: bytes) -> str:
    """Press a button on a pane; returns the page that follows."""
    with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310 - our own server
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("address", ["http://[", "http://[::1?oauth_state_id=1#?", "?", "#?a"])
def test_any_received_redirect_uri_will_do(api: Any, bank: Any, address: str) -> None:
    """What the app hands over need not be an address at all."""
    assert "/link/walks/" in walk(api, bank, received=address)


def test_there_is_no_bank_page_before_a_bank_is_chosen(api: Any, bank: Any) -> None:
    url = walk(api, bank)
    assert "wants to connect your bank" in read(f"{url}/bank")[1]
    assert "wants to connect your bank" in press(f"{url}/bank", b"step=allow")
    assert "Choose your bank" in press(url, b"step=continue&odd=\xff")


def test_who_is_done_may_finish_after_the_link_token_expired(api: Any, bank: Any) -> None:
    url = walk(api, bank)
    press(url, b"step=continue")
    press(url, b"step=choose&institution_id=ins_109508")
    press(url, b"step=log_in&username=user_good&password=pass_good")
    press(url, b"step=share&accounts=0000")
    bank.control.advance(5 * 3600)
    page = press(url, b"step=finish")
    assert '"success"' in page
    assert '"ERROR"' not in page

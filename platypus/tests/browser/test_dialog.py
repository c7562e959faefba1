"""Link as a dialog over an app's page: callbacks and their shapes, every pane, the keyboard."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import Link
from platypus_bank.receiver import until
from platypus_bank.testing import Running

Visit = Callable[..., Link]

EVENT_KEYS = {
    "account_number_mask", "error_type", "error_code", "error_message", "exit_status",
    "institution_id", "institution_name", "institution_search_query", "is_update_mode",
    "match_reason", "mfa_type", "routing_number", "view_name", "selection", "timestamp",
    "link_session_id", "request_id",
}  # fmt: skip

CUSTOM_DEVICE = '{"override_accounts": [{}], "mfa": {"type": "device"}}'


def test_callbacks_come_in_order_and_shape(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose("Tartan Bank")
    visit.log_in()
    visit.frame.get_by_label("Plaid CD").uncheck()
    visit.share()
    _, public_token, metadata = visit.ended()
    names = [each[0] for each in visit.heard]
    assert (names[0], names[-1], set(names[1:-1])) == ("onLoad", "onSuccess", {"onEvent"})
    told = [(each[1], each[2]["view_name"]) for each in visit.heard if each[0] == "onEvent"]
    assert told == [
        ("OPEN", None),
        ("TRANSITION_VIEW", "CONSENT"),
        ("TRANSITION_VIEW", "SELECT_INSTITUTION"),
        ("SELECT_INSTITUTION", None),
        ("TRANSITION_VIEW", "CREDENTIAL"),
        ("SUBMIT_CREDENTIALS", None),
        ("TRANSITION_VIEW", "SELECT_ACCOUNT"),
        ("TRANSITION_VIEW", "CONNECTED"),
        ("HANDOFF", None),
    ]
    for each in visit.heard[1:-1]:
        assert set(each[2]) == EVENT_KEYS
        assert each[2]["link_session_id"] == metadata["link_session_id"]
    assert public_token.startswith("public-sandbox-")
    assert metadata["institution"] == {"name": "Tartan Bank", "institution_id": "ins_109511"}
    first = metadata["accounts"][0]
    assert {**first, "id": ""} == {
        "id": "", "name": "Plaid Checking", "mask": "0000", "type": "depository",
        "subtype": "checking", "verification_status": None, "class_type": None,
    }  # fmt: skip
    assert "2222" not in [each["mask"] for each in metadata["accounts"]]


def test_no_secret_reaches_the_browser(api: Any, link: Visit, page: Page) -> None:
    """Neither an access token nor a password that was typed."""
    seen: list[str] = []
    page.on("response", lambda answer: seen.append(answer.url) if answer.ok else None)
    access, _ = api.item()
    visit = link(api.link_token(access_token=access, products=None)).open()
    visit.log_in("user_good", "mfa_questions_1_1")
    visit.title("First Platypus Bank wants to know it is you")
    text = visit.frame.locator("html").inner_html() + repr(seen)
    assert access not in text
    assert "mfa_questions_1_1" not in text


def test_a_wrong_password_can_be_mended(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in("user_good", "wrong")
    visit.alert("The provided credentials were not correct.")
    expect(visit.field("Username")).to_be_focused()
    visit.log_in()
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    [error] = visit.told("ERROR")
    assert (error["error_type"], error["error_code"]) == ("ITEM_ERROR", "INVALID_CREDENTIALS")


def test_an_error_that_was_asked_for_is_what_exit_tells(api: Any, link: Visit) -> None:
    token = api.link_token()
    visit = link(token).open()
    visit.choose()
    visit.log_in("user_good", "error_ITEM_LOCKED")
    visit.title("That did not work")
    visit.press("Try again")
    visit.log_in("user_good", "error_INSTITUTION_NOT_RESPONDING")
    visit.alert("INSTITUTION_NOT_RESPONDING")
    visit.leave()
    name, error, metadata = visit.ended()
    assert name == "onExit"
    assert set(error) == {"error_type", "error_code", "error_message", "display_message"}
    assert (error["error_type"], error["error_code"]) == (
        "INSTITUTION_ERROR", "INSTITUTION_NOT_RESPONDING",
    )  # fmt: skip
    assert set(metadata) == {"institution", "status", "link_session_id", "request_id"}
    assert metadata["status"] == "requires_credentials"
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    assert session["link_session_id"] == metadata["link_session_id"]
    assert session["exit"]["error"]["error_code"] == "INSTITUTION_NOT_RESPONDING"
    last = visit.heard[-2]
    assert (last[1], last[2]["exit_status"]) == ("EXIT", "requires_credentials")


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("user_good", '{"recaptcha": "bad"}', "RECAPTCHA_BAD"),
        ("user_custom", '{"force_error": "NO_ACCOUNTS"}', "NO_ACCOUNTS"),
        ("user_custom", "no JSON", "INVALID_FIELD"),
    ],
)
def test_other_logins_fail_too(
    api: Any, link: Visit, username: str, password: str, code: str
) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(username, password)
    visit.alert(code)


def test_a_bank_that_is_down_leaves_the_others(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose("Unhealthy Platypus Bank - Down")
    visit.alert("INSTITUTION_DOWN")
    visit.press("Try again")
    visit.title("Choose your bank")


def answer_device(visit: Link) -> None:
    visit.field("Text message to xxx-xxx-5309").check()
    visit.press("Continue")
    visit.field("Code").fill("0000")
    visit.press("Continue")
    visit.alert("The provided MFA responses were not correct.")
    visit.field("Code").fill("1234")
    visit.press("Continue")


def answer_questions(visit: Link) -> None:
    for i in range(2):
        for j in range(2):
            visit.field(f"Question {i}-{j}").fill(f"answer_{i}_{j}")
        visit.press("Continue")


def answer_yes(visit: Link) -> None:
    visit.field("Yes").check()
    visit.press("Continue")


def answer_selections(visit: Link) -> None:
    for j in range(2):
        visit.field(f"answer_0_{j}_0").check()
    visit.press("Continue")


@pytest.mark.parametrize(
    ("login", "answer", "kinds"),
    [
        (("user_good", "mfa_device"), answer_device, {"device", "code"}),
        (("user_good", "mfa_questions_2_2"), answer_questions, {"questions"}),
        (("user_good", "mfa_selections"), answer_yes, {"selections"}),
        (("user_good", "mfa_selections_1_2_3"), answer_selections, {"selections"}),
        (("user_custom", CUSTOM_DEVICE), answer_device, {"device", "code"}),
    ],
    ids=["device", "questions", "selections", "many selections", "custom user"],
)
def test_the_bank_asks_more(
    api: Any, link: Visit, login: tuple[str, str], answer: Any, kinds: set[str]
) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(*login)
    visit.title("First Platypus Bank wants to know it is you")
    answer(visit)
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    answered = [each["mfa_type"] for each in visit.told("SUBMIT_MFA")]
    assert set(answered) == kinds


@pytest.mark.parametrize(
    ("password", "view", "status"),
    [
        ("mfa_device", "MFA", "choose_device"),
        ("mfa_questions_1_1", "MFA", "requires_questions"),
        ("mfa_selections", "MFA", "requires_selections"),
        ("pass_good", "SELECT_ACCOUNT", "requires_account_selection"),
    ],
)
def test_exit_tells_how_far_the_person_came(
    api: Any, link: Visit, password: str, view: str, status: str
) -> None:
    """Also when the app ends Link by force; the server is told all the same."""
    token = api.link_token()
    visit = link(token).open()
    visit.choose()
    visit.log_in("user_good", password)
    visit.view(view)
    visit.page.evaluate("handler.exit({force: true})")
    assert visit.ended()[2]["status"] == status
    until(lambda: api.post("/link/token/get", link_token=token)["link_sessions"] != [])
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    assert session["exit"]["metadata"]["status"] == status


def test_a_search_without_a_match(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.press("Continue")
    visit.field("Search for a bank").fill("nobody")
    visit.press("Search")
    expect(visit.frame.get_by_role("status")).to_have_text("0 banks found")
    visit.leave()
    assert visit.ended()[2]["status"] == "institution_not_found"
    [searched] = visit.told("SEARCH_INSTITUTION")
    assert searched["institution_search_query"] == "nobody"


@pytest.mark.parametrize("token", ["link-sandbox-nobody-has-this", "expired"])
def test_a_token_that_is_no_good_ends_link_at_once(
    api: Any, bank: Running, link: Visit, token: str
) -> None:
    """The documented code in onExit: the app makes another token."""
    if token == "expired":
        token = api.link_token()
        bank.control.advance(4 * 3600)
    name, error, _ = link(token).open().ended()
    assert (name, error["error_type"], error["error_code"]) == (
        "onExit", "INVALID_INPUT", "INVALID_LINK_TOKEN",
    )  # fmt: skip


def test_a_token_can_expire_on_the_way(api: Any, bank: Running, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.title("Log in at First Platypus Bank")
    bank.control.advance(4 * 3600)
    visit.log_in()
    visit.alert("INVALID_LINK_TOKEN")
    expect(visit.frame.get_by_role("button", name="Try again")).to_have_count(0)
    visit.leave()
    assert visit.ended()[1]["error_code"] == "INVALID_LINK_TOKEN"


def test_link_opens_again(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.leave()
    first = visit.ended()[2]["link_session_id"]
    page.evaluate("sessionStorage.clear()")
    visit.open().choose()
    visit.log_in()
    visit.share()
    name, _, metadata = visit.ended()
    assert name == "onSuccess"
    assert metadata["link_session_id"] != first


def test_update_mode_can_change_the_selection(api: Any, link: Visit) -> None:
    access, _ = api.item()
    update = {"account_selection_enabled": True}
    visit = link(api.link_token(access_token=access, products=None, update=update)).open()
    visit.log_in()
    visit.title("Choose accounts")
    for box in visit.frame.get_by_role("checkbox").all()[1:]:
        box.uncheck()
    visit.share()
    assert len(visit.ended()[2]["accounts"]) == 1
    assert visit.heard[1][2]["is_update_mode"] == "true"
    [account] = api.post("/accounts/get", access_token=access)["accounts"]
    assert account["mask"] == "0000"


def test_no_account_is_no_choice(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in("user_custom", '{"override_accounts": [{}]}')
    visit.frame.get_by_role("checkbox").uncheck()
    visit.press("Share accounts")
    visit.alert("No valid accounts")


def test_a_multi_item_session_adds_several(api: Any, link: Visit) -> None:
    token = api.link_token(enable_multi_item_link=True)
    visit = link(token).open()
    visit.choose()
    visit.log_in()
    visit.press("Share accounts")
    visit.press("Add another bank")
    visit.press("Tartan Bank")
    visit.log_in()
    visit.press("Share accounts")
    visit.title("Tartan Bank is connected")
    visit.leave()
    assert visit.ended()[:2] == ["onSuccess", None]
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    names = [each["institution"]["name"] for each in session["results"]["item_add_results"]]
    assert names == ["First Platypus Bank", "Tartan Bank"]


def test_link_needs_no_mouse(api: Any, link: Visit, page: Page) -> None:
    """From the app's button to the end by Tab, Space and Enter; the focus stays in the dialog."""
    visit = link(api.link_token())
    keys = page.keyboard

    def go_to(name: str) -> None:
        """Press Tab until a field or button of that name has the focus."""
        target = visit.frame.get_by_label(name, exact=True).or_(
            visit.frame.get_by_role("button", name=name, exact=True)
        )
        expect(target).to_be_visible()
        for _ in range(30):
            if target.evaluate("each => each === document.activeElement"):
                return
            keys.press("Tab")
        raise AssertionError(f"no way to {name} by Tab")

    def typed(name: str, text: str) -> None:
        go_to(name)
        keys.type(text)

    def pressed(name: str) -> None:
        go_to(name)
        keys.press("Enter")

    keys.press("Tab")
    keys.press("Enter")
    expect(visit.frame.get_by_role("heading", level=1)).to_be_focused()
    pressed("Continue")
    typed("Search for a bank", "tartan")
    keys.press("Enter")
    pressed("Tartan Bank")
    typed("Username", "user_good")
    typed("Password", "mfa_device")
    keys.press("Enter")
    go_to("Text message to xxx-xxx-5309")
    keys.press("Space")
    pressed("Continue")
    typed("Code", "1234")
    keys.press("Enter")
    go_to("Plaid Saving ···· 1111 savings 210")
    keys.press("Space")
    pressed("Share accounts")
    pressed("Finish")
    masks = [each["mask"] for each in visit.ended()[2]["accounts"]]
    assert "1111" not in masks
    expect(page.get_by_role("button", name="Connect a bank")).to_be_focused()


def test_escape_asks_before_it_leaves(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.reading("Tests wants to connect your bank")
    page.keyboard.press("Escape")
    visit.reading("Leave Link?")
    page.keyboard.press("Escape")
    visit.reading("Tests wants to connect your bank")
    page.keyboard.press("Escape")
    visit.press("Yes, leave")
    assert visit.ended()[0] == "onExit"


def test_strangers_are_not_heard(api: Any, link: Visit, page: Page) -> None:
    """A message counts only from Link's own frame, and that frame speaks to its app only."""
    visit = link(api.link_token()).open()
    visit.title("Tests wants to connect your bank")
    forged = {
        "platypus": "news", "link_session_id": "x", "events": [], "first": 0, "over": True,
        "ending": {"success": {"public_token": "forged", "metadata": {}}},
    }  # fmt: skip
    page.evaluate("news => window.postMessage(news, '*')", forged)
    visit.press("Continue")
    visit.title("Choose your bank")
    assert {each[0] for each in visit.heard} == {"onLoad", "onEvent"}

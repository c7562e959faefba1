"""Link in a browser, opened by an app without a framework: https://plaid.com/docs/link/web/."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import Link
from link_panes import OAUTH_BANK, PANES, accounts

Visit = Callable[..., Link]
METADATA = {
    "account_number_mask", "error_code", "error_message", "error_type", "exit_status",
    "institution_id", "institution_name", "institution_search_query", "is_update_mode",
    "link_session_id", "match_reason", "mfa_type", "request_id", "routing_number", "selection",
    "timestamp", "view_name",
}  # fmt: skip
BANK = {"institution_id": "ins_109508", "name": "First Platypus Bank"}


def exchanged(api: Any, public_token: str) -> str:
    """Exchange a public token; returns the access token."""
    answer = api.post("/item/public_token/exchange", public_token=public_token)
    assert answer.status == 200, answer.body
    return str(answer["access_token"])


def update_token(api: Any, access_token: str, **fields: Any) -> str:
    """Make a link token of update mode."""
    answer = api.post(
        "/link/token/create", access_token=access_token, client_name="Tests", language="en",
        country_codes=["US"], user={"client_user_id": "person-1"}, **fields,
    )  # fmt: skip
    return str(answer["link_token"])


def test_a_bank_is_linked(api: Any, link: Visit) -> None:
    """The callbacks get what Plaid documents; events come in order, each with every key."""
    token = api.link_token()
    visit = link(token).open()
    visit.choose()
    visit.log_in()
    visit.title("Choose accounts")
    for name in ("Plaid CD ···· 2222", "Plaid IRA ···· 5555"):
        visit.frame.get_by_role("checkbox", name=re.compile(re.escape(name))).uncheck()
    visit.share()
    name, public_token, metadata = visit.ended()
    assert name == "onSuccess"
    assert visit.heard[0] == ["onLoad"]
    assert visit.events == [
        "OPEN", "TRANSITION_VIEW", "TRANSITION_VIEW", "SELECT_INSTITUTION", "TRANSITION_VIEW",
        "SUBMIT_CREDENTIALS", "TRANSITION_VIEW", "TRANSITION_VIEW", "HANDOFF",
    ]  # fmt: skip
    assert all(each[2].keys() == METADATA for each in visit.heard if each[0] == "onEvent")
    assert metadata["institution"] == BANK
    assert metadata["account"] == metadata["accounts"][0]
    assert metadata["accounts"][0].keys() == {
        "id", "name", "mask", "type", "subtype", "verification_status", "class_type",
    }  # fmt: skip
    accounts = api.post("/accounts/get", access_token=exchanged(api, public_token))["accounts"]
    assert [each["id"] for each in metadata["accounts"]] == [e["account_id"] for e in accounts]
    assert {"2222", "5555"}.isdisjoint(each["mask"] for each in accounts)
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    assert session["link_session_id"] == metadata["link_session_id"]
    assert session["results"]["item_add_results"][0]["public_token"] == public_token


def test_a_wrong_password_can_be_tried_again(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(password="wrong")
    visit.alert("The provided credentials were not correct")
    expect(visit.field("Username")).to_be_focused()
    visit.log_in()
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    errors = [each["error_code"] for each in visit.told("ERROR")]
    assert errors == ["INVALID_CREDENTIALS"]


def test_an_error_of_the_bank_leads_out(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(password="error_ITEM_LOCKED")
    visit.title("That did not work")
    visit.frame.get_by_role("link", name="Leave Link").click()
    visit.press("Yes, leave")
    name, error, metadata = visit.ended()
    assert name == "onExit"
    assert error.keys() == {"error_type", "error_code", "error_message", "display_message"}
    assert error["error_code"] == "ITEM_LOCKED"
    assert metadata["institution"] == BANK
    assert metadata["status"] == "requires_credentials"


def test_a_bank_that_is_down_is_said_to_be(api: Any, bank: Any, link: Visit) -> None:
    bank.control.institution_status("ins_109508", "DOWN")
    visit = link(api.link_token()).open()
    visit.choose()
    visit.alert("INSTITUTION_DOWN")
    bank.control.institution_status("ins_109508", "HEALTHY")
    visit.press("Try again")
    visit.press("First Platypus Bank")
    visit.title("Log in at First Platypus Bank")


@pytest.mark.parametrize(
    ("password", "rounds", "kinds"),
    [
        ("mfa_device", [["Text message to xxx-xxx-5309"], ["1234"]], ["device", "code"]),
        ("mfa_questions_2_1", [["answer_0_0"], ["answer_1_0"]], ["questions", "questions"]),
        ("mfa_selections", [["Yes"]], ["selections"]),
        ("mfa_selections_1_2_3", [["answer_0_0_0", "answer_0_1_0"]], ["selections"]),
    ],
)
def test_what_the_bank_asks_after_the_password(
    api: Any, link: Visit, password: str, rounds: list[list[str]], kinds: list[str]
) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(password=password)
    for answers in rounds:
        visit.title("First Platypus Bank wants to know it is you")
        for place, answer in enumerate(answers):
            option = visit.frame.get_by_role("radio", name=answer, exact=True)
            box = visit.frame.get_by_role("textbox").nth(place)
            option.or_(box).first.wait_for()
            if option.count():
                option.check()
            else:
                box.fill(answer)
        visit.press("Continue")
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    assert [each["mfa_type"] for each in visit.told("SUBMIT_MFA")] == kinds


def test_a_wrong_code_can_be_tried_again(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    visit.choose()
    visit.log_in(password="mfa_questions_1_1")
    visit.frame.get_by_role("textbox").fill("wrong")
    visit.press("Continue")
    visit.alert("The provided MFA responses were not correct")
    visit.leave()
    _, error, metadata = visit.ended()
    assert (error["error_code"], metadata["status"]) == ("INVALID_MFA", "requires_questions")


@pytest.mark.parametrize(("reach", "status"), PANES)
def test_every_pane_can_be_left(
    api: Any, link: Visit, reach: Callable[[Link], None], status: str
) -> None:
    """By Escape, after a question; /link/token/get then shows the exit that the app was given."""
    token = api.link_token()
    visit = link(token).open()
    reach(visit)
    expect(visit.frame.locator("h1")).to_be_focused()  # the page's own script has run
    visit.page.keyboard.press("Escape")
    visit.title("Leave Link?")
    visit.frame.get_by_role("link", name="No, go on").click()
    expect(visit.frame.get_by_role("heading", level=1)).not_to_have_text("Leave Link?")
    visit.leave()
    name, error, metadata = visit.ended()
    assert (name, error, metadata["status"]) == ("onExit", None, status)
    assert visit.events[-1] == "EXIT"
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    assert session["exit"]["metadata"]["status"] == status


def test_the_app_can_ask_to_leave_and_force_it(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.title("Tests wants to connect your bank")
    page.evaluate("handler.exit()")
    visit.title("Leave Link?")
    page.evaluate("handler.exit({force: true})")
    assert visit.ended()[0] == "onExit"
    page.evaluate("handler.destroy()")
    expect(page.locator("dialog")).to_have_count(0)


def test_update_mode_repairs_a_login(api: Any, bank: Any, link: Visit) -> None:
    access, item_id = api.item()
    bank.control.break_login(item_id)
    visit = link(update_token(api, access)).open()
    visit.title("Log in at First Platypus Bank")
    visit.log_in()
    visit.press("Finish")
    name, _, metadata = visit.ended()
    assert (name, metadata["institution"]) == ("onSuccess", BANK)
    assert api.post("/accounts/get", access_token=access).status == 200
    assert [each["is_update_mode"] for each in visit.told("OPEN")] == ["true"]


def test_update_mode_changes_which_accounts_are_shared(api: Any, link: Visit) -> None:
    access, _ = api.item()
    token = update_token(api, access, update={"account_selection_enabled": True})
    visit = link(token).open()
    visit.log_in()
    visit.title("Choose accounts")
    for box in visit.frame.get_by_role("checkbox").all()[1:]:
        box.uncheck()
    visit.share()
    visit.ended()
    shared = api.post("/accounts/get", access_token=access)["accounts"]
    assert [each["mask"] for each in shared] == ["0000"]


def test_nothing_chosen_is_asked_again(api: Any, link: Visit) -> None:
    visit = link(api.link_token()).open()
    accounts(visit)
    for box in visit.frame.get_by_role("checkbox").all():
        box.uncheck()
    visit.press("Share accounts")
    visit.alert("")
    visit.title("Choose accounts")


def test_oauth_by_redirect(api: Any, link: Visit, page: Page, app_url: str) -> None:
    """The whole page goes to the bank and comes back with a state, by which Link goes on."""
    visit = link(api.link_token(redirect_uri=f"{app_url}/plain.html")).open()
    visit.choose(OAUTH_BANK)
    visit.press(f"Continue to {OAUTH_BANK}")
    page.get_by_role("heading", name=OAUTH_BANK).wait_for()
    page.get_by_label("Username").fill("user_good")
    page.get_by_label("Password").fill("pass_good")
    page.get_by_role("button", name="Log in and allow").click()
    page.wait_for_url(re.compile(r"/plain\.html\?oauth_state_id=[\w-]+$"))
    visit.open()
    visit.share()
    name, public_token, metadata = visit.ended()
    assert (name, metadata["institution"]["name"]) == ("onSuccess", OAUTH_BANK)
    exchanged(api, public_token)
    assert visit.events[-1] == "HANDOFF"
    assert visit.events.count("OPEN_OAUTH") == 1


def test_oauth_in_a_window(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.choose(OAUTH_BANK)
    with page.expect_popup() as opened:
        visit.press(f"Continue to {OAUTH_BANK}")
    window = opened.value
    window.get_by_label("Username").fill("user_good")
    window.get_by_label("Password").fill("pass_good")
    with window.expect_event("close"):
        window.get_by_role("button", name="Log in and allow").click()
    visit.share()
    assert visit.ended()[0] == "onSuccess"


def test_a_bank_can_be_denied(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.choose(OAUTH_BANK)
    with page.expect_popup() as opened:
        visit.press(f"Continue to {OAUTH_BANK}")
    opened.value.get_by_role("button", name="Do not allow").click()
    visit.title("That did not work")
    assert "FAIL_OAUTH" in visit.events


def test_an_expired_link_token_is_told_to_the_app(api: Any, bank: Any, link: Visit) -> None:
    token = api.link_token()
    bank.control.advance(4 * 3600 + 1)
    visit = link(token).open()
    name, error, _ = visit.ended()
    assert (name, error["error_code"]) == ("onExit", "INVALID_LINK_TOKEN")


def test_the_choice_of_a_bank_in_the_page(api: Any, link: Visit, page: Page) -> None:
    """createEmbedded: the banks stand in the app's own page; the rest comes as a dialog."""
    visit = link(api.link_token())
    page.evaluate(
        """() => {
            const home = document.body.appendChild(document.createElement("div"));
            home.id = "home";
            const note = (name) => (...given) => {
                const heard = JSON.parse(sessionStorage.heard ?? "[]");
                sessionStorage.heard = JSON.stringify([...heard, [name, ...given]]);
            };
            const token = localStorage.getItem("token");
            window.embedded = Plaid.createEmbedded(
                { token, onSuccess: note("onSuccess"), onExit: note("onExit"), onEvent: note("onEvent") },
                home,
            );
        }"""
    )
    inline = page.frame_locator("#home iframe")
    inline.get_by_role("button", name="First Platypus Bank", exact=True).click()
    visit.frame = page.frame_locator("dialog[open] iframe")
    visit.log_in()
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    page.evaluate("embedded.destroy()")
    expect(page.locator("#home iframe")).to_have_count(0)


def test_hosted_link_is_a_page_of_its_own(api: Any, page: Page, app_url: str) -> None:
    made = api.post(
        "/link/token/create", client_name="Tests", language="en", country_codes=["US"],
        user={"client_user_id": "person-1"}, products=["transactions"],
        hosted_link={"completion_redirect_uri": f"{app_url}/done.html"},
    )  # fmt: skip
    page.goto(made["hosted_link_url"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="First Platypus Bank", exact=True).click()
    page.get_by_label("Username").fill("user_good")
    page.get_by_label("Password").fill("pass_good")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Share accounts").click()
    page.get_by_role("button", name="Finish").click()
    page.wait_for_url(f"{app_url}/done.html")
    [session] = api.post("/link/token/get", link_token=made["link_token"])["link_sessions"]
    exchanged(api, session["results"]["item_add_results"][0]["public_token"])
    assert "HANDOFF" in [each["event_name"] for each in session["events"]]

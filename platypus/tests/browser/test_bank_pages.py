"""Banks with a page of their own: away and back by redirect_uri, in a window, from Hosted Link."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import GOOD, Link

OAUTH = "Platypus OAuth Bank"
Visit = Callable[..., Link]


def log_in(page: Page, password: str = GOOD[1]) -> None:
    """Log in on the bank's own page."""
    expect(page.get_by_role("heading", level=1)).to_have_text(OAUTH)
    page.get_by_label("Username").fill("user_good")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in and allow").click()


def go_to_bank(visit: Link) -> None:
    visit.choose(OAUTH)
    visit.press(f"Continue to {OAUTH}")


@pytest.fixture(params=["plain.html", "tagged.html"])
def app(request: pytest.FixtureRequest) -> str:
    """One app without a framework, one with react-plaid-link."""
    if request.param == "tagged.html":
        request.getfixturevalue("node_modules")
    return str(request.param)


def test_the_page_goes_to_the_bank_and_back(
    api: Any, link: Visit, page: Page, app_url: str, app: str
) -> None:
    """The app opens Link again with the address it was called back by; the session is the same."""
    token = api.link_token(redirect_uri=f"{app_url}/{app}")
    visit = link(token, app).open()
    go_to_bank(visit)
    log_in(page)
    page.wait_for_url(re.compile(rf"{app}\?oauth_state_id=[0-9a-f-]{{36}}$"))
    visit.open()
    visit.title("Choose accounts")
    visit.share()
    name, _, metadata = visit.ended()
    assert (name, metadata["institution"]["name"]) == ("onSuccess", OAUTH)
    assert visit.events == [
        "OPEN", "TRANSITION_VIEW", "TRANSITION_VIEW", "SELECT_INSTITUTION", "TRANSITION_VIEW",
        "OPEN_OAUTH", "TRANSITION_VIEW", "TRANSITION_VIEW", "HANDOFF",
    ]  # fmt: skip
    assert {each[2]["link_session_id"] for each in visit.heard if each[0] == "onEvent"} == {
        metadata["link_session_id"]
    }


def test_a_way_back_works_once(api: Any, link: Visit, page: Page, app_url: str) -> None:
    token = api.link_token(redirect_uri=f"{app_url}/plain.html")
    visit = link(token).open()
    go_to_bank(visit)
    log_in(page)
    page.wait_for_url("**/plain.html?oauth_state_id=*")
    visit.open().share()
    assert visit.ended()[0] == "onSuccess"
    page.evaluate("sessionStorage.clear()")
    visit.open().alert("OAUTH_STATE_ID_ALREADY_PROCESSED")
    visit.leave()
    assert visit.ended()[1]["error_type"] == "OAUTH_ERROR"


@pytest.mark.parametrize(
    ("code", "known"), [("OAUTH_STATE_ID_NOT_FOUND", False), ("INCORRECT_LINK_TOKEN", True)]
)
def test_a_state_that_does_not_fit_is_refused(
    api: Any, link: Visit, page: Page, app_url: str, *, code: str, known: bool
) -> None:
    state = "11111111-1111-4111-8111-111111111111"
    if known:
        visit = link(api.link_token(redirect_uri=f"{app_url}/plain.html")).open()
        go_to_bank(visit)
        log_in(page)
        page.wait_for_url("**/plain.html?oauth_state_id=*")
        state = page.url.split("oauth_state_id=")[1]
    other = api.link_token(redirect_uri=f"{app_url}/plain.html")
    link(other, oauth_state_id=state).open().alert(code)


def test_who_does_not_allow_can_try_again(api: Any, link: Visit, page: Page, app_url: str) -> None:
    visit = link(api.link_token(redirect_uri=f"{app_url}/plain.html")).open()
    go_to_bank(visit)
    page.get_by_role("button", name="Do not allow").click()
    page.wait_for_url("**/plain.html?oauth_state_id=*")
    visit.open().alert("Your account was not connected.")
    visit.press("Try again")
    visit.press(f"Continue to {OAUTH}")
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("credentials were not correct")
    log_in(page)
    page.wait_for_url("**/plain.html?oauth_state_id=*")
    visit.open().share()
    assert visit.ended()[0] == "onSuccess"
    assert "FAIL_OAUTH" in visit.events


def test_without_a_redirect_uri_the_bank_has_a_window(api: Any, link: Visit, page: Page) -> None:
    """It closes itself, and Link goes on."""
    visit = link(api.link_token()).open()
    visit.choose(OAUTH)
    with page.expect_popup() as opened:
        visit.press(f"Continue to {OAUTH}")
    visit.title(f"Go on at {OAUTH}")
    with opened.value.expect_event("close"):
        log_in(opened.value)
    visit.title("Choose accounts")
    visit.share()
    assert visit.ended()[0] == "onSuccess"
    assert visit.events.count("OPEN_OAUTH") == 1


def test_a_window_that_was_closed_is_no_dead_end(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token()).open()
    visit.choose(OAUTH)
    with page.expect_popup() as opened:
        visit.press(f"Continue to {OAUTH}")
    visit.title(f"Go on at {OAUTH}")
    opened.value.close()
    visit.press("I did not log in")
    visit.title(f"Log in at {OAUTH}")
    visit.leave()
    assert visit.ended()[2]["status"] == "requires_oauth"
    assert "CLOSE_OAUTH" in visit.events


class Hosted:
    """Hosted Link as a page of its own."""

    def __init__(self, api: Any, page: Page, **hosted: str) -> None:
        made = api.new_link(hosted_link=hosted)
        self.api, self.page, self.token = api, page, made["link_token"]
        page.goto(made["hosted_link_url"])

    def press(self, *names: str) -> None:
        """Press buttons, one page after the other."""
        for name in names:
            self.page.get_by_role("button", name=name, exact=True).click()

    def session(self) -> dict[str, Any]:
        """Return what polling shows."""
        [found] = self.api.post("/link/token/get", link_token=self.token)["link_sessions"]
        return dict(found)


@pytest.mark.parametrize("completion", [True, False])
def test_hosted_link_is_a_page(api: Any, page: Page, app_url: str, *, completion: bool) -> None:
    """Every step stands in the session; at the end the person is sent where the app says."""
    uri = f"{app_url}/done.html"
    hosted = Hosted(api, page, **({"completion_redirect_uri": uri} if completion else {}))
    hosted.press("Continue", "Tartan Bank")
    page.get_by_label("Username").fill("user_good")
    page.get_by_label("Password").fill("pass_good")
    hosted.press("Log in", "Share accounts", "Finish")
    if completion:
        page.wait_for_url(uri)
    else:
        expect(page.get_by_role("heading", level=1)).to_have_text("Done")
    session = hosted.session()
    [result] = session["results"]["item_add_results"]
    assert result["institution"]["name"] == "Tartan Bank"
    names = [each["event_name"] for each in session["events"]]
    assert (names[0], names[-1], names.count("TRANSITION_VIEW")) == ("HANDOFF", "OPEN", 5)


def test_hosted_link_goes_to_the_bank_and_back(api: Any, page: Page) -> None:
    hosted = Hosted(api, page)
    hosted.press("Continue", OAUTH, f"Continue to {OAUTH}")
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose accounts")
    hosted.press("Share accounts", "Finish")
    expect(page.get_by_role("heading", level=1)).to_have_text("Done")
    assert hosted.session()["finished_at"] is not None


def test_leaving_hosted_link_is_told(api: Any, page: Page) -> None:
    """Whoever comes back to the URL goes on where they were; leaving ends the session."""
    hosted = Hosted(api, page)
    hosted.press("Continue", "Tartan Bank")
    page.goto(page.url.split("/link/")[0] + "/hl/" + hosted.token.removeprefix("link-sandbox-"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in at Tartan Bank")
    page.get_by_role("link", name="Exit Link").click()
    hosted.press("Yes, leave")
    expect(page.get_by_role("heading", level=1)).to_have_text("You have left Link")
    session = hosted.session()
    assert session["exit"]["metadata"]["institution"]["name"] == "Tartan Bank"
    assert session["events"][0]["event_name"] == "EXIT"

"""The official react-plaid-link, unchanged, against Platypus: nothing of Plaid's is reached."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import Link

CDN = "https://cdn.plaid.com/link/v2/stable/link-initialize.js"

Visit = Callable[..., Link]


@pytest.fixture(autouse=True)
def _react(node_modules: Path) -> None:
    """All of these need the bundle."""


@pytest.fixture
def routed(page: Page, bank: Any) -> None:
    """The line for Playwright, as the README has it."""
    script = f"{bank.url}/link/v2/stable/link-initialize.js"
    page.route(CDN, lambda route: route.fulfill(response=route.fetch(url=script)))


@pytest.mark.usefixtures("routed")
def test_link_by_playwrights_route(api: Any, link: Visit) -> None:
    visit = link(api.link_token(), "react.html").open()
    visit.choose()
    visit.log_in()
    visit.share()
    name, public_token, metadata = visit.ended()
    assert name == "onSuccess"
    answer = api.post("/item/public_token/exchange", public_token=public_token)
    accounts = api.post("/accounts/get", access_token=answer["access_token"])["accounts"]
    assert [each["id"] for each in metadata["accounts"]] == [e["account_id"] for e in accounts]


def test_link_by_a_script_tag_set_before_it(api: Any, link: Visit) -> None:
    """The tag loads Platypus' script, and leaves the mark by which react-plaid-link loads no other."""
    visit = link(api.link_token(), "tagged.html").open()
    visit.choose()
    visit.log_in()
    visit.share()
    name, public_token, _ = visit.ended()
    assert name == "onSuccess"
    assert visit.heard[0] == ["onLoad"]
    assert api.post("/item/public_token/exchange", public_token=public_token).status == 200


@pytest.mark.usefixtures("routed")
def test_update_mode(api: Any, bank: Any, link: Visit) -> None:
    access, item_id = api.item()
    bank.control.break_login(item_id)
    token = api.post(
        "/link/token/create", access_token=access, client_name="Tests", language="en",
        country_codes=["US"], user={"client_user_id": "person-1"},
    )["link_token"]  # fmt: skip
    visit = link(token, "react.html").open()
    visit.log_in()
    visit.press("Finish")
    assert visit.ended()[0] == "onSuccess"
    assert api.post("/accounts/get", access_token=access).status == 200


@pytest.mark.usefixtures("routed")
def test_exit_by_the_person(api: Any, link: Visit) -> None:
    visit = link(api.link_token(), "react.html").open()
    visit.leave()
    name, error, metadata = visit.ended()
    assert (name, error, metadata["status"]) == ("onExit", None, "requires_credentials")


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize("strict", [{}, {"strict": "1"}])
def test_a_component_that_goes_away_takes_link_along(
    api: Any, link: Visit, page: Page, strict: dict[str, str]
) -> None:
    """It forces an exit, waits for onExit, and destroys: nothing of Link is left in the page."""
    visit = link(api.link_token(), "react.html", **strict).open()
    visit.title("Tests wants to connect your bank")
    page.evaluate("app.unmount()")
    expect(page.locator("iframe")).to_have_count(0)
    assert visit.ended()[0] == "onExit"


@pytest.mark.usefixtures("routed")
def test_a_new_link_token_begins_anew(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token(), "react.html")
    page.get_by_role("button", name="Connect a bank").wait_for()
    page.evaluate("token => app.giveToken(token)", api.link_token(client_name="Another app"))
    visit.open()
    visit.title("Another app wants to connect your bank")
    expect(page.locator("dialog")).to_have_count(1)


@pytest.mark.usefixtures("routed")
def test_embedded(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token(), "react.html", embedded="1")
    page.frame_locator("#root iframe").get_by_role(
        "button", name="First Platypus Bank", exact=True
    ).click()
    visit.frame = page.frame_locator("dialog[open] iframe")
    visit.log_in()
    visit.share()
    assert visit.ended()[0] == "onSuccess"

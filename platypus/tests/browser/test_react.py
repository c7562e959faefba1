"""The official react-plaid-link, unchanged, against Platypus: nothing of Plaid's is reached."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import PLATYPUS_TAG, Link
from platypus_bank.receiver import until

README = (Path(__file__).parents[2] / "README.md").read_text()
HERE = "http://127.0.0.1:8080"

Visit = Callable[..., Link]


@pytest.fixture(autouse=True)
def _react(node_modules: Path) -> None:
    """Every test here needs the bundle."""


def line(start: str, end: str) -> str:
    """Return a line of the README's."""
    [found] = re.findall(re.escape(start) + ".*?" + re.escape(end), README, re.DOTALL)
    return str(found)


@pytest.fixture
def routed(page: Page, bank: Any) -> None:
    """Run the README's lines for Playwright."""
    text = line("script = ", "(url=script)))").replace(HERE, bank.url)
    exec(text, {"page": page})  # noqa: S102 - our own README


@pytest.fixture
def redirected(page: Page, bank: Any) -> None:
    """Answer as the README's line has Cypress answer: with a redirect."""
    asked, answered = re.findall(r'"(.*?)"', line("cy.intercept(", ");"))
    headers = {"Location": answered.replace(HERE, bank.url)}
    page.route(asked, lambda route: route.fulfill(status=302, headers=headers))


def test_the_tag_is_the_readmes() -> None:
    """So what `tagged.html` proves is what the README says."""
    assert PLATYPUS_TAG.format(platypus=HERE) in README


def link_by(visit: Link) -> Any:
    visit.open().choose()
    visit.log_in()
    visit.share()
    return visit.ended()


@pytest.mark.parametrize(
    ("way", "app"),
    [("routed", "react.html"), ("redirected", "react.html"), (None, "tagged.html")],
)
def test_a_bank_is_linked(
    api: Any, link: Visit, request: pytest.FixtureRequest, way: str | None, app: str
) -> None:
    """By a route of Playwright's, by one of Cypress's, by a script tag."""
    if way is not None:
        request.getfixturevalue(way)
    name, public_token, metadata = link_by(link(api.link_token(), app))
    assert name == "onSuccess"
    answer = api.post("/item/public_token/exchange", public_token=public_token)
    accounts = api.post("/accounts/get", access_token=answer["access_token"])["accounts"]
    shared = [each["id"] for each in metadata["accounts"]]
    assert shared == [each["account_id"] for each in accounts]


def test_the_readmes_walk_arrives(api: Any, link: Visit, page: Page) -> None:
    visit = link(api.link_token(), "tagged.html")
    exec(line("page.get_by_role(", "# onSuccess"), {"page": page})  # noqa: S102 - our own README
    assert visit.ended()[0] == "onSuccess"


def test_update_mode_repairs_the_item(api: Any, link: Visit) -> None:
    access, _ = api.item()
    api.post("/sandbox/item/reset_login", access_token=access)
    visit = link(api.link_token(access_token=access, products=None), "tagged.html").open()
    visit.title("Log in at First Platypus Bank")
    visit.log_in()
    visit.press("Finish")
    name, _, metadata = visit.ended()
    assert (name, metadata["institution"]["institution_id"]) == ("onSuccess", "ins_109508")
    assert api.post("/item/get", access_token=access)["item"]["error"] is None


def test_leaving_is_confirmed(api: Any, link: Visit, page: Page) -> None:
    """The app's exit() without `force` asks; whoever goes on is where they were."""
    visit = link(api.link_token(), "tagged.html").open()
    visit.choose()
    visit.view("CREDENTIAL")
    page.evaluate("document.getElementById('leave').click()")
    visit.title("Leave Link?")
    visit.frame.get_by_role("link", name="No, go on").click()
    visit.title("Log in at First Platypus Bank")
    visit.leave()
    name, error, metadata = visit.ended()
    assert (name, error, metadata["status"]) == ("onExit", None, "requires_credentials")
    expect(page.locator("dialog")).to_be_hidden()


def test_unmounting_ends_link_and_leaves_nothing(api: Any, link: Visit, page: Page) -> None:
    """The component calls exit({force: true}) and waits for onExit before it destroys."""
    token = api.link_token()
    visit = link(token, "tagged.html").open()
    visit.choose("Tartan Bank")
    visit.view("CREDENTIAL")
    page.evaluate("app.unmount()")
    name, error, metadata = visit.ended()
    assert (name, error) == ("onExit", None)
    assert metadata["institution"] == {"name": "Tartan Bank", "institution_id": "ins_109511"}
    expect(page.locator("dialog")).to_have_count(0)
    assert visit.events[-1] == "EXIT"
    until(lambda: api.post("/link/token/get", link_token=token)["link_sessions"] != [])
    [session] = api.post("/link/token/get", link_token=token)["link_sessions"]
    assert session["exit"]["metadata"]["status"] == "requires_credentials"


def test_another_token_replaces_an_open_link(api: Any, link: Visit, page: Page) -> None:
    """The component ends the old handler twice over; one onExit comes, and the next one works."""
    visit = link(api.link_token(), "tagged.html").open()
    visit.title("Tests wants to connect your bank")
    page.evaluate("token => app.giveToken(token)", api.link_token())
    assert visit.ended()[0] == "onExit"
    expect(page.locator("dialog")).to_have_count(1)
    page.evaluate("sessionStorage.clear()")
    assert link_by(visit)[0] == "onSuccess"


def test_strict_mode_makes_no_second_passage(api: Any, link: Visit) -> None:
    visit = link(api.link_token(), "tagged.html", strict="1")
    assert link_by(visit)[0] == "onSuccess"
    assert visit.events.count("OPEN") == 1


def test_link_stands_in_the_page(api: Any, link: Visit, page: Page) -> None:
    """PlaidEmbeddedLink: the search is a part of the page, the rest a dialog over it."""
    link(api.link_token(), "tagged.html", embedded="1")
    search = Link(page, "#root iframe")
    search.title("Choose your bank")
    expect(page.locator("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    search.field("Search for a bank").fill("tartan")
    search.press("Search")
    search.press("Tartan Bank")
    dialog = Link(page)
    dialog.title("Log in at Tartan Bank")
    dialog.log_in()
    dialog.share()
    name, _, metadata = dialog.ended()
    assert (name, metadata["institution"]["name"]) == ("onSuccess", "Tartan Bank")
    assert dialog.events.count("SELECT_INSTITUTION") == 1
    page.evaluate("app.unmount()")
    expect(page.locator("iframe")).to_have_count(0)

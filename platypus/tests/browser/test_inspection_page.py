"""The pages under /platypus in a browser: without JavaScript, by keyboard, small, large, dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

WITHOUT_NAME = """() => [...document.querySelectorAll("a, button, input, select, [tabindex='0']")]
    .filter(each => !(each.labels?.length || each.textContent.trim())).length"""


@pytest.fixture
def paper(chromium: Browser) -> Iterator[Page]:
    """A page in a browser without JavaScript; whatever it complains of is reported."""
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    assert [each for each in complaints if "400 (Bad Request)" not in each] == []


def enter(page: Page, role: Any, name: str) -> None:
    """Press a link or a button by keyboard."""
    page.get_by_role(role, name=name).first.focus()
    page.keyboard.press("Enter")


def told(page: Page, text: str) -> None:
    """Wait for what the page says was done, where the keyboard now is."""
    status = page.get_by_role("status")
    expect(status).to_have_text(text)
    expect(status).to_be_focused()


def test_everything_by_keyboard_without_javascript(
    api: Any, bank: Any, receiver: Any, paper: Page
) -> None:
    access, item_id = api.item(webhook=receiver.url, override_username="user_transactions_dynamic")
    cursor, _ = api.pull(access)
    receiver.wait(2)
    paper.goto(f"{bank.url}/platypus?client_id=some-client")
    paper.keyboard.press("Tab")
    expect(paper.get_by_role("link", name="Skip to the content")).to_be_focused()
    enter(paper, "button", "Advance a day")
    told(paper, "The clock has been advanced.")
    assert round(bank.control.clock()["offset_seconds"]) == 86_400
    enter(paper, "button", "Stop the clock")
    told(paper, "The clock stands still.")
    enter(paper, "button", "Start the clock")
    told(paper, "The clock goes on.")

    enter(paper, "link", "First Platypus Bank")
    expect(paper.get_by_role("heading", level=1)).to_have_text("First Platypus Bank")
    paper.get_by_label("Name", exact=True).focus()
    paper.keyboard.type("Coffee")
    paper.keyboard.press("Tab")
    paper.keyboard.type("4.50")
    paper.get_by_label("Account", exact=True).focus()
    paper.keyboard.press("Tab")
    paper.keyboard.press("Space")  # still pending
    paper.keyboard.press("Tab")
    paper.keyboard.press("Enter")
    told(paper, "The transaction has been added.")
    rows = {each["name"]: each for each in api.pull(access, cursor)[1].values() if each}
    assert (str(rows["Coffee"]["amount"]), rows["Coffee"]["pending"]) == ("4.50", True)
    enter(paper, "button", "Ask the bank again")
    told(paper, "The bank has been asked again.")

    before = len(receiver.received)
    paper.get_by_label("Which webhook").focus()
    paper.keyboard.type("ITEM: NEW")
    enter(paper, "button", "Fire the webhook")
    told(paper, "The webhook has been fired.")
    assert receiver.wait(before + 1)[-1].code == "NEW_ACCOUNTS_AVAILABLE"
    enter(paper, "button", "Break the login")
    told(paper, "The login is broken.")
    assert api.post("/accounts/get", access_token=access)["error_code"] == "ITEM_LOGIN_REQUIRED"
    enter(paper, "button", "Ask the bank again")
    expect(paper.get_by_role("alert")).to_contain_text("ITEM_LOGIN_REQUIRED")
    enter(paper, "button", "Repair the login")
    told(paper, "The login is repaired.")
    assert bank.control.items()[0]["item_id"] == item_id
    assert bank.control.items()[0]["error_code"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_in_both_schemes(
    api: Any, bank: Any, receiver: Any, chromium: Browser, scheme: Any
) -> None:
    """Only tables scroll sideways, and by keyboard; everything that takes the focus has a name."""
    access, item_id = api.item(webhook=receiver.url + "/very/long" * 9)
    api.pull(access)
    bank.control.fault("/accounts/get", name="institution_down")
    receiver.wait(2)
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("", f"/pages/items/{item_id}"):
            page.goto(f"{bank.url}/platypus{path}?client_id=some-client")
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(WITHOUT_NAME) == 0
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_a_website_cannot_send_a_form(bank: Any, app_url: str, page: Page) -> None:
    """A page of another site tries with a form, and with a script that needs no answer."""
    page.goto(app_url)
    target = f"{bank.url}/platypus/clock/advance?client_id=some-client"
    script = "url => fetch(url, {method: 'POST', mode: 'no-cors', body: '{\"seconds\": 9000}'})"
    page.evaluate(script + ".then(() => 0)", target)
    form = f"""<form method="post" action="{bank.url}/platypus/pages/advance?client_id=some-client">
        <button name="seconds" value="9000">A nice button</button></form>"""
    page.evaluate("html => { document.body.innerHTML = html }", form)
    with page.expect_navigation() as gone:
        page.get_by_role("button").click()
    assert gone.value.status == 403
    assert bank.control.clock()["offset_seconds"] == 0

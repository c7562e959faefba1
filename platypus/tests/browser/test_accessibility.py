"""Every pane by axe-core, in light and dark; nothing is cut off at 320 pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page

from link_browser import Link

Visit = Callable[..., Link]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


class Inspector:
    """Checks each pane once it is told of."""

    def __init__(self, page: Page, axe: str) -> None:
        self._page, self._axe = page, axe

    def check(self, frame: Frame | Page) -> None:
        """Raise what axe-core has to say about a page, or that it is wider than its window."""
        frame.wait_for_selector("h1")
        frame.evaluate(self._axe)
        self._run(frame, {"runOnly": RULES})
        self._page.emulate_media(color_scheme="dark")
        self._run(frame, {"runOnly": {"type": "rule", "values": ["color-contrast"]}})
        self._page.emulate_media(color_scheme="light")
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not frame.evaluate(wide)
        assert frame.get_by_text("Emulator: Platypus, not a real bank").is_visible()

    @staticmethod
    def _run(frame: Frame | Page, options: dict[str, Any]) -> None:
        found = frame.evaluate("options => axe.run(options)", options)["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


@pytest.fixture
def inspector(page: Page, node_modules: Path) -> Inspector:
    return Inspector(page, (node_modules / "axe-core" / "axe.min.js").read_text())


def test_every_pane_can_be_read(api: Any, page: Page, link: Visit, inspector: Inspector) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    visit = link(api.link_token()).open()

    def look(title: str) -> None:
        visit.title(title)
        handle = page.query_selector("dialog iframe")
        frame = None if handle is None else handle.content_frame()
        assert frame is not None
        inspector.check(frame)

    look("Tests wants to connect your bank")
    visit.press("Continue")
    look("Choose your bank")
    visit.press("Platypus OAuth Bank")
    look("Log in at Platypus OAuth Bank")
    with page.expect_popup() as opened:
        visit.press("Continue to Platypus OAuth Bank")
    look("Go on at Platypus OAuth Bank")
    inspector.check(opened.value)
    opened.value.close()
    visit.press("I did not log in")
    visit.press("Choose another bank")
    visit.press("Tartan Bank")
    look("Log in at Tartan Bank")
    visit.log_in("user_good", "wrong")
    visit.alert("credentials")
    look("Log in at Tartan Bank")
    visit.log_in("user_good", "error_ITEM_LOCKED")
    look("That did not work")
    visit.press("Try again")
    visit.log_in("user_good", "mfa_device")
    look("Tartan Bank wants to know it is you")
    visit.press("Choose another bank")
    visit.press("Tartan Bank")
    visit.log_in("user_good", "mfa_questions_1_2")
    look("Tartan Bank wants to know it is you")
    visit.press("Choose another bank")
    visit.press("Tartan Bank")
    visit.log_in()
    look("Choose accounts")
    visit.frame.get_by_role("link", name="Exit Link").click()
    look("Leave Link?")
    visit.frame.get_by_role("link", name="No, go on").click()
    visit.press("Share accounts")
    look("Tartan Bank is connected")


def test_pages_beside_the_panes_can_be_read(
    api: Any, bank: Any, page: Page, inspector: Inspector
) -> None:
    page.goto(f"{bank.url}/hl/nothing")
    inspector.check(page)
    made = api.new_link(hosted_link={})
    page.goto(made["hosted_link_url"])
    page.get_by_role("link", name="Exit Link").click()
    page.get_by_role("button", name="Yes, leave").click()
    page.get_by_role("heading", name="You have left Link").wait_for()
    inspector.check(page)

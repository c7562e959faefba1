"""Link without a mouse, for a screen reader, and on a small screen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from link_browser import GOOD, Link
from link_panes import PANES

Visit = Callable[..., Link]


def test_by_keyboard_alone(api: Any, link: Visit, page: Page) -> None:
    """Each pane begins at its heading; Tab leads to everything, Enter and Space press it."""
    visit = link(api.link_token())
    page.get_by_role("button", name="Connect a bank").focus()
    page.keyboard.press("Enter")
    for title, way in (
        ("Tests wants to connect your bank", press("Continue")),
        ("Choose your bank", press("First Platypus Bank")),
        ("Log in at First Platypus Bank", type_login),
        ("Choose accounts", press("Share accounts")),
        ("First Platypus Bank is connected", press("Finish")),
    ):
        visit.title(title)
        expect(visit.frame.get_by_role("heading", level=1)).to_be_focused()
        way(visit)
    assert visit.ended()[0] == "onSuccess"


def press(name: str) -> Callable[[Link], None]:
    def way(visit: Link) -> None:
        button = visit.frame.get_by_role("button", name=name, exact=True)
        for _ in range(60):
            visit.page.keyboard.press("Tab")
            if button.evaluate("each => each === document.activeElement"):
                visit.page.keyboard.press("Enter")
                return
        raise AssertionError(f"Tab does not lead to {name}")

    return way


def type_login(visit: Link) -> None:
    for field, text in zip(("Username", "Password"), GOOD, strict=True):
        visit.page.keyboard.press("Tab")
        expect(visit.field(field)).to_be_focused()
        visit.page.keyboard.type(text)
    visit.page.keyboard.press("Enter")


def error(visit: Link) -> None:
    visit.choose()
    visit.log_in(password="error_ITEM_LOCKED")
    visit.title("That did not work")


def wrong(visit: Link) -> None:
    visit.choose()
    visit.log_in(password="wrong")
    visit.alert("credentials")


def done(visit: Link) -> None:
    visit.choose()
    visit.log_in()
    visit.press("Share accounts")
    visit.title("First Platypus Bank is connected")


@pytest.fixture(scope="session")
def checker(node_modules: Path) -> str:
    return (node_modules / "axe-core/axe.min.js").read_text()


REACHED = [*(reach for reach, _ in PANES), error, wrong, done]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("reach", REACHED)
def test_every_pane_is_accessible(
    api: Any, link: Visit, checker: str, reach: Any, scheme: Any
) -> None:
    """The checker finds nothing against WCAG 2.2 AA; the emulator says that it is one; 320 px are enough."""
    visit = link(api.link_token())
    page = visit.page
    page.set_viewport_size({"width": 320, "height": 640})
    page.emulate_media(color_scheme=scheme)
    visit.open()
    reach(visit)
    expect(visit.frame.get_by_text("Emulator: Platypus, not a real bank")).to_be_visible()
    frame = page.frames[-1]
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    frame.evaluate(checker)
    found = frame.evaluate("axe.run()")
    assert [(each["id"], each["help"]) for each in found["violations"]] == []

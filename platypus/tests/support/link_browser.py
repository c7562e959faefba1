"""Goes through Link in a browser as a person does: by the names on buttons and fields."""

from typing import Any

from playwright.sync_api import FrameLocator, Locator, Page, expect

PLATYPUS_TAG = '<script src="{platypus}/link/v2/stable/link-initialize.js"></script>'
GOOD = ("user_good", "pass_good")


class Link:
    """Link in an app's page; `heard` is what the app's callbacks were given."""

    def __init__(self, page: Page, frame: str = "dialog iframe") -> None:
        self.page = page
        self.frame: FrameLocator = page.frame_locator(frame)

    def open(self) -> "Link":
        """Press the app's button."""
        self.page.get_by_role("button", name="Connect a bank").click()
        return self

    def title(self, text: str) -> None:
        """Wait for a pane, by its heading."""
        expect(self.frame.get_by_role("heading", level=1)).to_have_text(text)

    def reading(self, text: str) -> None:
        """Wait for a pane whose heading has the focus: its script has run."""
        self.title(text)
        expect(self.frame.get_by_role("heading", level=1)).to_be_focused()

    def alert(self, text: str) -> None:
        """Wait for an error."""
        expect(self.frame.get_by_role("alert")).to_contain_text(text)

    def press(self, name: str) -> None:
        """Press a button."""
        self.frame.get_by_role("button", name=name, exact=True).click()

    def field(self, name: str) -> Locator:
        """Return a field by its label."""
        return self.frame.get_by_label(name, exact=True)

    def choose(self, bank: str = "First Platypus Bank") -> None:
        """Go from the beginning to a bank's log-in."""
        self.press("Continue")
        self.press(bank)

    def log_in(self, username: str = GOOD[0], password: str = GOOD[1]) -> None:
        """Fill in the log-in."""
        self.field("Username").fill(username)
        self.field("Password").fill(password)
        self.press("Log in")

    def share(self) -> None:
        """Go from the accounts to the end."""
        self.press("Share accounts")
        self.press("Finish")

    def leave(self) -> None:
        """Leave by the link in the corner."""
        self.frame.get_by_role("link", name="Exit Link").click()
        self.press("Yes, leave")

    @property
    def heard(self) -> list[list[Any]]:
        """All callbacks so far: [name, argument, …]."""
        found: list[list[Any]] = self.page.evaluate("JSON.parse(sessionStorage.heard ?? '[]')")
        return found

    @property
    def events(self) -> list[str]:
        """The names of the events so far."""
        return [each[1] for each in self.heard if each[0] == "onEvent"]

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return the metadata of all events of one name."""
        return [each[2] for each in self.heard if each[:2] == ["onEvent", event]]

    def view(self, name: str) -> None:
        """Wait until the app was told of a view."""
        self.page.wait_for_function(
            'name => sessionStorage.heard?.includes(`"view_name":"${name}"`)',
            arg=name,
            polling="raf",
        )

    def ended(self) -> list[Any]:
        """Wait until Link has ended and return that callback: [name, first, metadata]."""
        self.page.wait_for_function("/on(Success|Exit)/.test(sessionStorage.heard)", polling="raf")
        [end] = [each for each in self.heard if each[0] in ("onSuccess", "onExit")]
        return end

"""The ways to Link's panes, and what leaving there is called."""

from playwright.sync_api import expect

from link_browser import Link

OAUTH_BANK = "Platypus OAuth Bank"


def consent(visit: Link) -> None:
    """Stay where Link begins."""
    visit.title("Tests wants to connect your bank")


def banks(visit: Link) -> None:
    """Go to the choice of a bank."""
    visit.press("Continue")
    visit.title("Choose your bank")


def no_bank(visit: Link) -> None:
    """Search for a bank that is not there."""
    banks(visit)
    visit.field("Search for a bank").fill("nowhere")
    visit.press("Search")
    expect(visit.frame.get_by_role("status")).to_have_text("0 banks found")


def credentials(visit: Link) -> None:
    """Choose a bank."""
    visit.choose()
    visit.title("Log in at First Platypus Bank")


def device(visit: Link) -> None:
    """Get to where the bank wants to send a code."""
    visit.choose()
    visit.log_in(password="mfa_device")
    visit.title("First Platypus Bank wants to know it is you")


def accounts(visit: Link) -> None:
    """Log in."""
    visit.choose()
    visit.log_in()
    visit.title("Choose accounts")


def oauth(visit: Link) -> None:
    """Choose a bank with a page of its own."""
    visit.choose(OAUTH_BANK)
    visit.title(f"Log in at {OAUTH_BANK}")


PANES = [
    (consent, "requires_credentials"),
    (banks, "requires_credentials"),
    (no_bank, "institution_not_found"),
    (credentials, "requires_credentials"),
    (device, "choose_device"),
    (accounts, "requires_account_selection"),
    (oauth, "requires_oauth"),
]

"""The official react-plaid-link, unchanged, against Platypus: nothing of Plaid's is reached."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

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

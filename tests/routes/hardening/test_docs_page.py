"""`/docs` in a real browser, under its policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chromium_browser import browser

if TYPE_CHECKING:
    from harness import Api


def test_the_docs_work_under_their_policy(walled: Api) -> None:
    """Swagger UI draws every route, opens one and calls it; nothing is violated, nothing else asked."""
    said: list[str] = []
    asked: list[str] = []
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda problem: said.append(str(problem)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{walled.url}/docs")
        page.locator("#operations-health-healthz_healthz_get").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    assert said == []
    assert f"{walled.url}/healthz" in asked
    assert [url for url in asked if not url.startswith((walled.url, "data:"))] == []

"""The browser of the tests: Debian's Chromium, which fetches nothing by itself."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# Debian's two packages; the shell has no windows of its own to draw, and takes half the time.
BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser for the length of a block; skip the test, and say so, where there is none."""
    found = next((each for each in BROWSERS if each.exists()), None)
    if found is None:
        pytest.skip(
            "no Chromium: pages are NOT tested in a browser (apt-get install chromium-headless-shell)"
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()

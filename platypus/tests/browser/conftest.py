"""Chromium, two small apps that open Link, and a wall around them: nothing outside is reached."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from chromium_browser import browser
from link_browser import PLATYPUS_TAG, Link
from platypus_bank.testing import Running

NODE_MODULES = Path(__file__).parents[1] / "node" / "node_modules"
APP = Path(__file__).parent / "app"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>An app</title>
<link rel="icon" href="data:,">{scripts}"""
PLAIN = '<button id="connect">Connect a bank</button><script src="plain.js"></script>'
REACT = '<div id="root"></div><script src="app.js"></script>'
PAGES = {
    "done.html": "Thank you",
    "plain.html": PLATYPUS_TAG + PLAIN,
    "react.html": REACT,
    "tagged.html": PLATYPUS_TAG + REACT,
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a file of tests: its event loop must not outlive them."""
    with browser() as found:
        yield found


@pytest.fixture(scope="session")
def node_modules() -> Path:
    if not (NODE_MODULES / "react-plaid-link").exists():
        pytest.skip("no react-plaid-link: make platypus/tests/node/node_modules (needs npm)")
    return NODE_MODULES


@pytest.fixture(scope="session")
def app_files(process: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the apps' pages; the React one is bundled where it can be."""
    folder = tmp_path_factory.mktemp("app")
    for name, scripts in PAGES.items():
        text = PAGE.format(scripts=scripts.format(platypus=process.url))
        (folder / name).write_text(text)
    (folder / "plain.js").write_text((APP / "plain.js").read_text())
    if (NODE_MODULES / "esbuild").exists():
        _bundle(folder / "app.js")
    return folder


def _bundle(target: Path) -> None:
    command = [NODE_MODULES / ".bin" / "esbuild", APP / "app.jsx", "--bundle", "--log-level=error"]
    command += ['--define:process.env.NODE_ENV="development"', f"--outfile={target}"]
    environment = {**os.environ, "NODE_PATH": str(NODE_MODULES)}
    subprocess.run(command, check=True, env=environment)


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output free of requests."""


@pytest.fixture(scope="session")
def app_url(app_files: Path) -> Iterator[str]:
    """Where the apps are served, under another name than Platypus: another site to the browser."""
    handler = partial(_Quiet, directory=str(app_files))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh profile that aborts, and afterwards reports, every request to the outside."""
    outside: list[str] = []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context = chromium.new_context()
    context.set_default_timeout(10_000)
    context.route("**/*", guard)
    yield context
    context.close()
    assert outside == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page in which nothing may go wrong unseen."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    yield page
    assert problems == []


@pytest.fixture
def link(page: Page, app_url: str) -> Callable[..., Link]:
    """Open an app's page with a link token; Link itself is not opened yet."""

    def visit(token: str, app: str = "plain.html", **query: str) -> Link:
        page.goto(f"{app_url}/{app}?{urlencode({'token': token, **query})}")
        return Link(page)

    return visit

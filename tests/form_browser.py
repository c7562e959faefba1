"""A browser without JavaScript, for the console's pages."""

from __future__ import annotations

import re

import httpx


class Browser(httpx.Client):
    """What a browser without JavaScript does: it keeps cookies, follows, and sends a page's forms."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, follow_redirects=True)

    def submit(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Open a page and send its form."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)
        assert token
        return self.post(action, data={"csrf_token": token[1], **fields})

    def sign_in(self, given: str) -> httpx.Response:
        """Sign in with a code or a key."""
        return self.submit("/console/signin", "/console/signin", given=given)

"""A small HTTP client of the documented API, as a person's own program would use it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import urllib3

from bankloom.core.errors import BankloomError

TIMEOUT_SECONDS = 60


class CallError(BankloomError):
    """A call of the demo was refused."""

    code = "demo_call"


class JsonClient:
    """Calls one base URL; money comes back as Decimal."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)

    def get(self, path: str, **params: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of a GET. Errors: `CallError`."""
        return self._request("GET", path, fields=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of a POST. Errors: `CallError`."""
        return self._request("POST", path, json=body)

    def transactions(self, user_id: str, most: int) -> list[dict[str, Any]]:
        """Return the user's newest transactions, over as many pages as it takes."""
        rows: list[dict[str, Any]] = []
        params: dict[str, Any] = {"user_id": user_id, "limit": min(most, 500)}
        while len(rows) < most:
            page = self.get("/plaid/transactions", **params)
            rows += page["transactions"]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        return rows[:most]

    def _request(self, method: str, path: str, **what: Any) -> Any:  # noqa: ANN401 - any JSON
        try:
            answer = self._pool.request(method, self.url + path, headers=self._headers, **what)
        except urllib3.exceptions.HTTPError as error:
            raise CallError(f"{path} got no answer ({type(error).__name__}).") from error
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's own boundary
            raise CallError(f"{path} answered {answer.status}: {answer.data.decode()[:500]}")
        return json.loads(answer.data, parse_float=Decimal)

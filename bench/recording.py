"""Records what the emulator answers, once a run, so that every side reads the same true bytes."""

from __future__ import annotations

import http.client
import json
from typing import Any

import msgspec

from platypus_bank.testing import running

PAGE_ROWS = 500
TAG_CHARS = 6
TAG_PLACE = b"\x00" * TAG_CHARS
"""Stands in every recorded transaction id where a lap's tag goes, so that rows can be had again."""

_INSTITUTION = "ins_109508"
_ID_FIELD = b'"transaction_id":"'
_TAG_START = 12  # not at the front: ids have to arrive in random order, as Plaid's do


class Recording(msgspec.Struct):
    """The answers to the calls of a sync.

    `pages` holds lists of 500 added transactions, each as the emulator wrote it but for its tag.
    `envelope` is the rest of a page, field by field.
    """

    answers: dict[str, bytes]
    envelope: dict[str, msgspec.Raw]
    pages: list[list[bytes]]


class _Page(msgspec.Struct):
    added: list[msgspec.Raw]
    next_cursor: str


def record(page_count: int) -> Recording:
    """Link an Item at the emulator, let it add transactions in bulk, and keep what it answers."""
    with running() as bank:
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        plaid = _Plaid(bank.url)
        bank.control.bulk(plaid.link(), (page_count + 1) * PAGE_ROWS)
        answers = {path: plaid.call(path) for path in ("/accounts/get", "/item/get")}
        answers["/institutions/get_by_id"] = plaid.call_as_client(
            "/institutions/get_by_id", institution_id=_INSTITUTION, country_codes=["US"]
        )
        envelope = msgspec.json.decode(plaid.page(""), type=dict[str, msgspec.Raw])
        return Recording(answers, envelope, _pages(plaid, page_count))


def _pages(plaid: _Plaid, count: int) -> list[list[bytes]]:
    """Return `count` full pages; the first is left out, it holds the seeded user's own story."""
    cursor, pages = "", []
    for _ in range(count + 1):
        page = msgspec.json.decode(plaid.page(cursor), type=_Page)
        pages.append([_with_tag_place(raw) for raw in page.added])
        cursor = page.next_cursor
    return pages[1:]


def _with_tag_place(raw: msgspec.Raw) -> bytes:
    row = bytes(raw)
    start = row.index(_ID_FIELD) + len(_ID_FIELD) + _TAG_START
    return row[:start] + TAG_PLACE + row[start + TAG_CHARS :]


class _Plaid:
    """The few calls that a recording is made of."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))
        self._access_token = ""

    def link(self) -> str:
        """Link an Item and return its id."""
        made = self.call_as_client(
            "/sandbox/public_token/create",
            institution_id=_INSTITUTION,
            initial_products=["transactions"],
        )
        token = json.loads(made)["public_token"]
        linked = json.loads(self.call_as_client("/item/public_token/exchange", public_token=token))
        self._access_token = linked["access_token"]
        item_id: str = linked["item_id"]
        return item_id

    def page(self, cursor: str) -> bytes:
        """Return a page, with the options that the service asks for."""
        options = {"include_original_description": True}
        return self.call("/transactions/sync", cursor=cursor, count=PAGE_ROWS, options=options)

    def call(self, path: str, **body: Any) -> bytes:
        """Return the answer to a call about the Item."""
        return self.call_as_client(path, access_token=self._access_token, **body)

    def call_as_client(self, path: str, **body: Any) -> bytes:
        """Return the answer to a call."""
        sent = json.dumps({"client_id": "bench", "secret": "bench", **body})
        self._connection.request("POST", path, sent, {"Content-Type": "application/json"})
        return self._connection.getresponse().read()

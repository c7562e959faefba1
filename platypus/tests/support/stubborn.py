"""A correct client of /transactions/sync: it retries what fails and begins a voided loop again."""

import http.client
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from platypus_bank.testing import Running
from raw_plaid import KEYS, Answer, apply

SYNC = "/transactions/sync"
_TRIES_MAX = 200
_GIVE_UP_SECONDS = 10


class VoidLoopError(Exception):
    """The Item changed; the loop has to begin again."""


def knock(
    bank: Running, path: str, seconds: float = _GIVE_UP_SECONDS, **body: Any
) -> tuple[int, bytes]:
    """POST once and return status and raw body; raises OSError or HTTPException where none comes."""
    line = http.client.HTTPConnection(urlsplit(bank.url).netloc, timeout=seconds)
    try:
        line.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **KEYS})
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def insist(bank: Running, path: str, **body: Any) -> Answer:
    """POST until an answer comes that is one; raises VoidLoopError."""
    for _ in range(_TRIES_MAX):
        try:
            status, raw = knock(bank, path, **body)
            found = json.loads(raw, parse_float=Decimal)
        except (OSError, http.client.HTTPException, ValueError):
            continue
        if status == http.client.OK:
            return Answer(status, found)
        if found["error_code"] == "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION":
            raise VoidLoopError
    raise AssertionError(f"{path} failed {_TRIES_MAX} times")


def pull(bank: Running, access: str, cursor: str, held: dict[str, Any], count: int) -> str:
    """Bring what is held up to date, by whole loops; returns the new cursor."""
    for _ in range(_TRIES_MAX):
        seen: dict[str, Any] = {}
        try:
            final = _loop(bank, {"access_token": access, "count": count}, cursor, seen)
        except VoidLoopError:
            continue
        held.update(seen)
        return final
    raise AssertionError(f"{_TRIES_MAX} loops were void")


def _loop(bank: Running, asked: dict[str, Any], cursor: str, seen: dict[str, Any]) -> str:
    while True:
        page = insist(bank, SYNC, cursor=cursor, **asked)
        apply(page, seen)
        cursor = str(page["next_cursor"])
        if not page["has_more"]:
            return cursor

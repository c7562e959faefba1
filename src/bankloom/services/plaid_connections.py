"""Connections to Plaid that are kept between calls, but none so long that it may be closing by then."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

IDLE_SECONDS_MAX = 2.0
"""Less than any usual server keeps an idle connection; 5 s is the shortest of the common ones.

A server that closes it in the moment of a call leaves that call unanswered, and nobody knows whether
it had an effect: a public token may be spent by it.
"""


class _Http(urllib3.HTTPConnectionPool):
    def _put_conn(self, conn: BaseHTTPConnection | None) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()  # type: ignore[attr-defined]  # ours
        super()._put_conn(conn)

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        conn = super()._get_conn(timeout)
        if time.monotonic() - getattr(conn, "idle_since", math.inf) > IDLE_SECONDS_MAX:
            conn.close()  # it opens again by itself
        return conn


class HandshakeError(urllib3.exceptions.SSLError):
    """The connection could not be made secure, so nothing was sent over it.

    urllib3's own SSLError may as well come from reading an answer.
    """


class _Https(_Http, urllib3.HTTPSConnectionPool):
    def _validate_conn(self, conn: BaseHTTPConnection) -> None:
        try:
            super()._validate_conn(conn)  # it opens a new connection, before anything is sent
        except OSError as error:
            raise HandshakeError(error) from error


POOLS: dict[str, type[urllib3.HTTPConnectionPool]] = {"http": _Http, "https": _Https}

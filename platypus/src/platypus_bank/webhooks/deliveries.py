"""The outbox: every webhook to deliver, what was tried, what came of it; the caller commits."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from platypus_bank.exact_json import decode_as, encode

State = Literal["waiting", "held", "delivered", "given_up", "dropped"]
Forgery = Literal[
    "no_header",
    "two_headers",
    "garbage",
    "bad_signature",
    "other_key",
    "unknown_kid",
    "expired_key",
    "alg_none",
    "hs256_public_key",
    "stale",
    "future",
    "body_changed",
    "body_reencoded",
]
OK = 200
KEPT = 10_000  # settled deliveries that stay to be looked at


class Attempt(Struct, kw_only=True):
    """One try, in the world's time. `status` None: no answer, and `problem` says why.

    `verification` is the Plaid-Verification header as sent; None when there was none.
    """

    time: str | None
    status: int | None = None
    problem: str | None = None
    verification: str | None = None


class Delivery(Struct, kw_only=True):
    """One webhook on its way; instants are epoch seconds of the world's time.

    It waits for the first try of delivery `after`, and is not tried after `ends_at`.
    """

    url: str
    text: str
    created_at: float
    due_at: float
    number: int = 0
    item_id: str | None = None
    webhook_type: str | None = None
    webhook_code: str | None = None
    ends_at: float | None = None
    state: State = "waiting"
    reason: str | None = None
    after: int | None = None
    forge: Forgery | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Tell whether the receiver answered the last try, and not with success."""
        last = self.attempts[-1].status if self.attempts else None
        return last not in (None, OK)


class Deliveries:
    """Reads and writes the deliveries table."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def add(self, delivery: Delivery) -> Delivery:
        """Store a new delivery and return it with its number; old settled ones are forgotten."""
        made = self._sql.execute(
            "INSERT INTO deliveries (state, due_at, after, item, url, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*_place(delivery), delivery.item_id, delivery.url, encode(delivery)),
        )
        number = int(made.lastrowid or 0)
        self._sql.execute(
            "DELETE FROM deliveries WHERE number <= ? AND state NOT IN ('waiting', 'held')",
            (number - KEPT,),
        )
        return replace(delivery, number=number)

    def put(self, delivery: Delivery, tried_at: float | None = None) -> None:
        """Write a delivery over; `tried_at` is when it was last sent.

        One that a reset has forgotten stays forgotten.
        """
        self._sql.execute(
            "UPDATE deliveries SET state = ?, due_at = ?, after = ?,"
            " tried_at = COALESCE(?, tried_at), refused = ?, body = ? WHERE number = ?",
            (*_place(delivery), tried_at, delivery.refused, encode(delivery), delivery.number),
        )

    def find(self, number: int) -> Delivery | None:
        """Return one delivery, or None."""
        rows = self._sql.execute("SELECT number, body FROM deliveries WHERE number = ?", (number,))
        return next(_read(rows), None)

    def due(self, now: float, count: int, begun: Collection[int]) -> list[Delivery]:
        """Return up to `count` deliveries whose time has come, oldest first, but those begun."""
        rows = self._sql.execute(
            "SELECT number, body FROM deliveries AS one"  # noqa: S608 - built of marks
            " WHERE state = 'waiting' AND due_at <= ?"
            f" AND number NOT IN ({','.join('?' * len(begun))})"
            " AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.number = one.after"
            " AND other.state = 'waiting' AND other.tried_at IS NULL) ORDER BY number LIMIT ?",
            (now, *begun, count),
        )
        return list(_read(rows))

    def next_due(self, now: float) -> float | None:
        """Return the next instant after `now` at which a delivery becomes due."""
        found: tuple[float | None] = self._sql.execute(
            "SELECT min(due_at) FROM deliveries WHERE state = 'waiting' AND due_at > ?", (now,)
        ).fetchone()
        return found[0]

    def newest(self, count: int, item_id: str | None) -> list[Delivery]:
        """Return the last `count` deliveries, newest last; an Item's only, when one is named."""
        rows = self._sql.execute(
            "SELECT number, body FROM deliveries WHERE ?1 IS NULL OR item = ?1"
            " ORDER BY number DESC LIMIT ?2",
            (item_id, count),
        )
        return list(_read(rows))[::-1]

    def tally(self, url: str, since: float) -> tuple[int, int]:
        """Return how many webhooks were sent to a URL since an instant, and how many it refused."""
        sent, refused = self._sql.execute(
            "SELECT count(*), COALESCE(sum(refused), 0) FROM deliveries"
            " WHERE url = ? AND tried_at >= ?",
            (url, since),
        ).fetchone()
        return sent, refused

    def counts(self) -> dict[str, int]:
        """Return how many deliveries are in each state."""
        return dict(self._sql.execute("SELECT state, count(*) FROM deliveries GROUP BY state"))


def _place(delivery: Delivery) -> tuple[State, float, int | None]:
    return delivery.state, delivery.due_at, delivery.after


def _read(rows: Iterable[tuple[int, bytes]]) -> Iterator[Delivery]:
    for number, body in rows:
        yield replace(decode_as(Delivery, body), number=number)

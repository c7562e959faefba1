"""The transactions of every Item and the order in which they last changed.

A row waits with `seq` NULL until the Item's history reaches it. `added_seq` is when it last
came to be, `first_seq` when it first did: a client at `base` holds every row with
first_seq <= base, unless it was removed and that removal was already told.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Raw

from platypus_bank.exact_json import decode, encode
from platypus_bank.records import Item
from platypus_bank.seeds.blueprint import POSTS_ON

_COLUMNS = (
    "seq, transaction_id, account_id, added_seq, removed, posts_on, original_description, body"
)


class Row(NamedTuple):
    """One transaction as the ledger keeps it; `body` is its JSON."""

    seq: int
    transaction_id: str
    account_id: str
    added_seq: int
    removed: int
    posts_on: str | None
    original_description: bytes | None
    body: bytes

    def json(self, *, with_original: bool) -> Raw:
        """Return the Transaction schema, with original_description only when asked for."""
        if not with_original:
            return Raw(self.body)
        original = self.original_description or b"null"
        return Raw(self.body[:-1] + b',"original_description":' + original + b"}")

    def fields(self) -> dict[str, Any]:
        """Return the Transaction schema as a dict, original_description included."""
        fields: dict[str, Any] = decode(self.json(with_original=True))
        return fields


class Ledger:
    """Reads and writes the transactions table; the caller commits and stores the Item."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def stage(self, item: Item, transactions: Iterable[dict[str, Any]]) -> None:
        """Lay down history that the Item will give out later. POSTS_ON is taken off."""
        self._sql.executemany(
            "INSERT INTO transactions (item, transaction_id, account_id, date, posts_on,"
            " original_description, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (_values(item, transaction) for transaction in transactions),
        )

    def put(self, item: Item, transaction: dict[str, Any]) -> None:
        """Add a transaction, or write over the one with its id, as the Item's next change."""
        item.last_seq += 1
        self._sql.execute(
            "INSERT INTO transactions (item, transaction_id, account_id, date, posts_on,"
            " original_description, body, seq, first_seq, added_seq)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8)"
            " ON CONFLICT (item, transaction_id) DO UPDATE SET account_id = excluded.account_id,"
            " date = excluded.date, posts_on = excluded.posts_on, seq = excluded.seq,"
            " original_description = excluded.original_description, body = excluded.body,"
            " first_seq = COALESCE(first_seq, excluded.seq),"
            " added_seq = CASE WHEN removed OR added_seq IS NULL THEN excluded.seq"
            " ELSE added_seq END, removed = 0",
            (*_values(item, transaction), item.last_seq),
        )

    def remove(self, item: Item, transaction_id: str) -> None:
        """Take a transaction away as the Item's next change; one never given out just goes."""
        item.last_seq += 1
        key = (item.number, transaction_id)
        self._sql.execute(
            "DELETE FROM transactions WHERE item = ? AND transaction_id = ? AND seq IS NULL", key
        )
        self._sql.execute(
            "UPDATE transactions SET seq = ?, removed = 1, posts_on = NULL"
            " WHERE item = ? AND transaction_id = ? AND removed = 0",
            (item.last_seq, *key),
        )

    def append(self, item: Item, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Add many finished rows (transaction_id, account_id, date, body), one change each."""
        first = item.last_seq

        def numbered() -> Iterable[tuple[object, ...]]:
            for seq, row in enumerate(rows, start=first + 1):
                item.last_seq = seq
                yield (item.number, seq, *row)

        self._sql.executemany(
            "INSERT INTO transactions (item, seq, first_seq, added_seq, transaction_id,"
            " account_id, date, body) VALUES (?1, ?2, ?2, ?2, ?3, ?4, ?5, ?6)",
            numbered(),
        )

    def give_out(self, item: Item, since: str, until: str, accounts: Iterable[str]) -> int:
        """Let history dated since..until of these accounts become visible, oldest first."""
        marks = list(accounts)
        places = ",".join("?" * len(marks))
        waiting = self._sql.execute(
            "SELECT rowid FROM transactions WHERE item = ? AND seq IS NULL AND date BETWEEN ?"
            f" AND ? AND account_id IN ({places}) ORDER BY date, rowid",
            (item.number, since, until, *marks),
        ).fetchall()
        first = item.last_seq + 1
        item.last_seq += len(waiting)
        self._sql.executemany(
            "UPDATE transactions SET seq = ?1, first_seq = ?1, added_seq = ?1 WHERE rowid = ?2",
            ((first + place, rowid) for place, (rowid,) in enumerate(waiting)),
        )
        return len(waiting)

    def due(self, item: Item, today: str) -> list[Row]:
        """Return pending rows whose posting date has come."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE item = ?"  # noqa: S608 - constant
            " AND posts_on <= ? AND removed = 0 ORDER BY posts_on, rowid",
            (item.number, today),
        )
        return [Row(*row) for row in rows]

    def find(self, item: Item, transaction_id: str) -> Row | None:
        """Return a transaction that is there now, given out or waiting."""
        row = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE item = ?"  # noqa: S608 - constant
            " AND transaction_id = ? AND removed = 0",
            (item.number, transaction_id),
        ).fetchone()
        return None if row is None else Row(*row)

    def changes(
        self, item: Item, *, base: int, after: int, until: int, count: int, account_id: str
    ) -> list[Row]:
        """Return up to `count` rows last changed in (after, until], as a client at `base` sees.

        A row that came and went since `base` is left out. An empty `account_id` means all.
        """
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE item = ? AND seq > ? AND seq <= ?"  # noqa: S608 - constant
            " AND NOT (removed AND first_seq > ?) AND (? = '' OR account_id = ?)"
            " ORDER BY seq LIMIT ?",
            (item.number, after, until, base, account_id, account_id, count),
        )
        return [Row(*row) for row in rows]

    def window(
        self, item: Item, dates: tuple[str, str], accounts: list[str], page: tuple[int, int]
    ) -> tuple[int, list[Row]]:
        """Return how many given-out rows fall in `dates`, and one page (count, offset), newest
        first; an empty `accounts` means all.
        """
        where = "item = ? AND removed = 0 AND seq IS NOT NULL AND date BETWEEN ? AND ?"
        if accounts:
            where += f" AND account_id IN ({','.join('?' * len(accounts))})"
        values = (item.number, *dates, *accounts)
        (total,) = self._sql.execute(
            f"SELECT count(*) FROM transactions WHERE {where}",  # noqa: S608 - built of marks above
            values,
        ).fetchone()
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE {where}"  # noqa: S608 - built of marks above
            " ORDER BY date DESC, rowid DESC LIMIT ? OFFSET ?",
            (*values, *page),
        )
        return total, [Row(*row) for row in rows]

    def present(self, item: Item) -> list[Row]:
        """Return every transaction that has been given out and not removed, by last change."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE item = ? AND seq > 0"  # noqa: S608 - constant
            " AND removed = 0 ORDER BY seq",
            (item.number,),
        )
        return [Row(*row) for row in rows]


def _values(item: Item, transaction: dict[str, Any]) -> tuple[object, ...]:
    rest = dict(transaction)
    posts_on = rest.pop(POSTS_ON, None)
    original = rest.pop("original_description", None)
    return (
        item.number,
        rest["transaction_id"],
        rest["account_id"],
        rest["date"],
        posts_on,
        None if original is None else encode(original),
        encode(rest),
    )

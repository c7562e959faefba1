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
from platypus_bank.seeds.blueprint import POSTS_ON, blank_transaction

# Beyond this many rows it is quicker to build the indexes anew than row by row.
REBUILD_ROWS = 100_000
_INDEXES = {
    "transactions_by_id": "UNIQUE INDEX {} ON transactions (item, transaction_id)",
    "transactions_by_seq": "INDEX {} ON transactions (item, seq)",
    "transactions_by_date": "INDEX {} ON transactions (item, date)"
    " WHERE removed = 0 AND seq IS NOT NULL",
    "transactions_to_post": "INDEX {} ON transactions (item, posts_on) WHERE posts_on IS NOT NULL",
}
_OWN_KEYS = ("transaction_id", "account_id", "amount", "date", "name")
_COLUMNS = (
    "COALESCE(seq, 0), transaction_id, account_id, COALESCE(added_seq, 0), removed, posts_on,"
    " original_description, body"
)


def make_indexes(sql: sqlite3.Connection) -> None:
    """Make the indexes that are missing."""
    for name, definition in _INDEXES.items():
        sql.execute("CREATE " + definition.format(f"IF NOT EXISTS {name}"))


def drop_indexes(sql: sqlite3.Connection) -> None:
    """Drop all indexes; within a commit they are back before anyone reads."""
    for name in _INDEXES:
        sql.execute(f"DROP INDEX {name}")


def _rest_of_blank() -> bytes:
    blank = blank_transaction("", "", "")
    return encode({key: blank[key] for key in blank if key not in _OWN_KEYS})[1:]


_REST_OF_BLANK = _rest_of_blank()


class Reach(NamedTuple):
    """Which changes a client wants: those in (after, until], as one who holds all up to `base`.

    An empty `account_id` means all accounts.
    """

    base: int
    after: int
    until: int
    account_id: str = ""


class Row(NamedTuple):
    """One transaction as the ledger keeps it; `seq` is 0 while it waits to be given out.

    `body` is its JSON; left unclosed (`{"amount":1.25,...`) it lacks its ids and whatever is as
    in a blank transaction, so that a million generated rows take a tenth of the room.
    """

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
        body = self.body if self.body.endswith(b"}") else self._closed()
        if not with_original:
            return Raw(body)
        original = self.original_description or b"null"
        return Raw(body[:-1] + b',"original_description":' + original + b"}")

    def _closed(self) -> bytes:
        ids = f',"transaction_id":"{self.transaction_id}","account_id":"{self.account_id}",'
        return self.body + ids.encode() + _REST_OF_BLANK

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

    def replace(self, item: Item, transaction: dict[str, Any], *, shown: bool) -> None:
        """Put a transaction; where it isn't to be shown yet, lay it down for later."""
        if shown:
            self.put(item, transaction)
            return
        self._sql.execute(
            "DELETE FROM transactions WHERE item = ? AND transaction_id = ? AND seq IS NULL",
            (item.number, transaction["transaction_id"]),
        )
        self.stage(item, [transaction])

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

    def append(self, item: Item, count: int, rows: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Add `count` rows (transaction_id, account_id, date, unclosed body), one change each."""
        numbers = range(item.last_seq + 1, item.last_seq + count + 1)
        item.last_seq += count
        if count >= REBUILD_ROWS:
            drop_indexes(self._sql)
        self._sql.executemany(
            "INSERT INTO transactions (item, seq, first_seq, added_seq, transaction_id,"
            " account_id, date, body) VALUES (?1, ?2, ?2, ?2, ?3, ?4, ?5, ?6)",
            ((item.number, seq, *row) for seq, row in zip(numbers, rows, strict=True)),
        )
        make_indexes(self._sql)

    def give_out(self, item: Item, since: str, until: str, accounts: Iterable[str]) -> int:
        """Let history dated since..until of these accounts become visible, oldest first."""
        marks = list(accounts)
        places = ",".join("?" * len(marks))
        waiting = self._sql.execute(
            "SELECT rowid FROM transactions WHERE item = ? AND seq IS NULL"  # noqa: S608 - marks
            f" AND date BETWEEN ? AND ? AND account_id IN ({places}) ORDER BY date, rowid",
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

    def next_posting(self, item: Item) -> str | None:
        """Return the earliest date on which a pending row posts."""
        found: tuple[str | None] = self._sql.execute(
            "SELECT min(posts_on) FROM transactions"
            " WHERE item = ? AND posts_on IS NOT NULL AND removed = 0",
            (item.number,),
        ).fetchone()
        return found[0]

    def news(self, item: Item, since: int, first_day: str) -> tuple[int, int, list[str]]:
        """Return what came after change `since`: new rows, recent new rows, ids of rows now gone.

        Recent ones are dated `first_day` or later.
        """
        (new, recent) = self._sql.execute(
            "SELECT count(*), COALESCE(sum(date >= ?), 0) FROM transactions"
            " WHERE item = ? AND seq > ? AND added_seq > ? AND removed = 0",
            (first_day, item.number, since, since),
        ).fetchone()
        gone = self._sql.execute(
            "SELECT transaction_id FROM transactions"
            " WHERE item = ? AND seq > ? AND first_seq <= ? AND removed = 1 ORDER BY seq",
            (item.number, since, since),
        )
        return new, recent, [transaction_id for (transaction_id,) in gone]

    def find(self, item: Item, transaction_id: str) -> Row | None:
        """Return a transaction that is there now, given out or waiting."""
        row = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions WHERE item = ?"  # noqa: S608 - constant
            " AND transaction_id = ? AND removed = 0",
            (item.number, transaction_id),
        ).fetchone()
        return None if row is None else Row(*row)

    def changes(self, item: Item, reach: Reach, count: int) -> list[Row]:
        """Return up to `count` changed rows in order; one that came and went is left out."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM transactions"  # noqa: S608 - a constant
            " WHERE item = ? AND seq > ? AND seq <= ?"
            " AND NOT (removed AND first_seq > ?) AND (? = '' OR account_id = ?)"
            " ORDER BY seq LIMIT ?",
            (
                item.number,
                reach.after,
                reach.until,
                reach.base,
                reach.account_id,
                reach.account_id,
                count,
            ),
        )
        return [Row(*row) for row in rows]

    def window(
        self, item: Item, dates: tuple[str, str], accounts: list[str], page: tuple[int, int]
    ) -> tuple[int, list[Row]]:
        """Return how many given-out rows fall in `dates`, and one page of them, newest first.

        `page` is (count, offset); an empty `accounts` means all.
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

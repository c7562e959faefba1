"""The file a world lives in: SQLite, one writer, documents by kind and id."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from platypus_bank.exact_json import decode_as, encode
from platypus_bank.ledger import make_indexes
from platypus_bank.records import Document, Item

D = TypeVar("D", bound=Document)
CACHE_KIB = 262_144  # a million rows' indexes stay in memory while they are built

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS documents_of_owner ON documents (kind, owner);
CREATE TABLE IF NOT EXISTS transactions (
    item INTEGER NOT NULL, transaction_id TEXT NOT NULL, account_id TEXT NOT NULL,
    date TEXT NOT NULL, posts_on TEXT,
    seq INTEGER, first_seq INTEGER, added_seq INTEGER, removed INTEGER NOT NULL DEFAULT 0,
    original_description BLOB, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, due_at REAL NOT NULL,
    after INTEGER, item TEXT, url TEXT NOT NULL, tried_at REAL, refused INTEGER, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_of_item ON deliveries (item, number);
CREATE INDEX IF NOT EXISTS deliveries_to_url ON deliveries (url, tried_at);
"""


class Store:
    """One world's file; `folder=None` keeps it in memory.

    The file is locked for as long as the store is open: a second process is refused with
    sqlite3.OperationalError. `fresh_items` are those written since somebody emptied it.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if folder is None else str(folder / "platypus.sqlite3")
        self.fresh_items: dict[str, Item] = {}
        self.sql = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        self._open()

    def _open(self) -> None:
        # NORMAL in WAL mode survives the death of the process, which is what we promise;
        # only a power cut could take the last answers.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            self.sql.execute(f"PRAGMA {pragma}")
        self.sql.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        self.sql.executescript(_TABLES)
        make_indexes(self.sql)

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self.sql.close()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Make everything inside one change: all of it, or nothing after an exception."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            self.fresh_items.clear()
            raise
        self.sql.execute("COMMIT")

    def get(self, kind: type[D], key: str) -> D | None:
        """Return one document, or None."""
        row = self.sql.execute(
            "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind.__name__, key)
        ).fetchone()
        return None if row is None else decode_as(kind, row[0])

    def of(self, kind: type[D], owner: str) -> list[D]:
        """Return an owner's documents of one kind, oldest first."""
        rows = self.sql.execute(
            "SELECT body FROM documents WHERE kind = ? AND owner = ? ORDER BY rowid",
            (kind.__name__, owner),
        )
        return [decode_as(kind, body) for (body,) in rows]

    def every(self, kind: type[D]) -> list[D]:
        """Return all documents of one kind, oldest first."""
        rows = self.sql.execute(
            "SELECT body FROM documents WHERE kind = ? ORDER BY rowid", (kind.__name__,)
        )
        return [decode_as(kind, body) for (body,) in rows]

    def put(self, document: Document) -> None:
        """Write a document, keeping its place in the order of its kind."""
        kind = type(document).__name__
        self.sql.execute(
            "INSERT INTO documents (kind, id, owner, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kind, id) DO UPDATE SET owner = excluded.owner, body = excluded.body",
            (kind, document.id, document.owner, encode(document)),
        )
        if isinstance(document, Item):
            self.fresh_items[document.id] = document

    def delete(self, document: Document) -> None:
        """Forget a document."""
        self.sql.execute(
            "DELETE FROM documents WHERE kind = ? AND id = ?",
            (type(document).__name__, document.id),
        )

    def clear(self) -> None:
        """Forget everything."""
        self.sql.execute("DELETE FROM documents")
        self.sql.execute("DELETE FROM transactions")
        self.sql.execute("DELETE FROM deliveries")
        self.fresh_items.clear()

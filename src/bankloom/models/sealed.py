"""Every column that holds sealed values: whose they are, what each is bound to, and which key seals it.

It is the one list of them: what rotates, checks or retires keys goes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Text, cast, func, literal, select, text, update

from bankloom.models.base import Base, table_of
from bankloom.models.exchange_claim import ExchangeClaim
from bankloom.models.item import Item
from bankloom.models.link_session import LinkSession
from bankloom.models.webhook_delivery import WebhookDelivery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


class SealedValue(NamedTuple):
    """A sealed value: its row's primary key, what it is bound to, and the keyed hash of its secret."""

    row: Any
    sealed: str
    bound_to: str
    hash: str | None

    @property
    def key_name(self) -> str:
        """The name of the key that it was sealed under."""
        return key_name(self.sealed)


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values; `hash` is the column of the keyed hash of the same secret, if any."""

    model: type[Base]
    column: str
    bound_to: str
    hash: str | None = None

    def __str__(self) -> str:
        return f"{self.model.__tablename__}.{self.column}"

    def key_names(self, session: Session) -> list[str]:
        """Return the names of the keys that its values are sealed under, sorted.

        It hops from name to name in the index, so that it costs as much as there are names.
        """
        named = {"column": self.column, "table": self.model.__tablename__}
        return list(session.execute(text(_KEY_NAMES.format(**named))).scalars())

    def count_by_key(self, session: Session) -> dict[str, int]:
        """Count the values by the names of their keys."""
        name = self._key
        counted = select(name, func.count()).where(self._sealed.is_not(None)).group_by(name)
        return dict(session.execute(counted).all())

    def first_under(self, session: Session, name: str) -> SealedValue | None:
        """Return some value under this key, to try it on."""
        found = self.after(session, None, 1, under=name)
        return found[0] if found else None

    def after(
        self, session: Session, row: object, limit: int, *, under: str | None = None
    ) -> Sequence[SealedValue]:
        """Return the values, of one key or of all, of the rows that follow `row`, by primary key.

        Those of one key lie together in the index, so that a walk in batches reads each row once.
        """
        query = self._values.where(self._sealed.is_not(None))
        if under is not None:
            query = query.where(self._key == under)
        if row is not None:
            query = query.where(self._row > row)
        rows = session.execute(query.order_by(self._row).limit(limit))
        return [SealedValue(*each) for each in rows]

    def locked(
        self, session: Session, rows: Sequence[Any], under: str, *, waits: bool
    ) -> Sequence[SealedValue]:
        """Lock those of these rows whose value still is under this key; return them.

        Without `waits`, those in other hands are left out: who waits for nobody is in nobody's way.
        """
        wanted = self._values.where(self._row == func.any(literal(rows, ARRAY(self._row.type))))
        still = wanted.where(self._key == under)
        locked = still.with_for_update(key_share=True, skip_locked=not waits)
        return [SealedValue(*each) for each in session.execute(locked)]

    def replace(self, session: Session, fresh: Mapping[SealedValue, str]) -> int:
        """Write these values over those, where they still stand; return how many did."""
        given = (
            func.unnest(
                literal([each.row for each in fresh], ARRAY(self._row.type)),
                literal([each.sealed for each in fresh], ARRAY(Text())),
                literal(list(fresh.values()), ARRAY(Text())),
            )
            .table_valued("row", "old", "new")
            .render_derived()
        )
        written = (
            update(table_of(self.model))
            .where(self._row == given.c.row, self._sealed == given.c.old)
            .values({self.column: given.c.new})
            .returning(literal(1))
        )
        return len(session.execute(written).all())

    @property
    def _row(self) -> ColumnElement[Any]:
        (only,) = table_of(self.model).primary_key.columns
        return only

    @property
    def _sealed(self) -> ColumnElement[Any]:
        return table_of(self.model).c[self.column]

    @property
    def _key(self) -> ColumnElement[Any]:
        return func.split_part(self._sealed, text("'.'"), text("2"))

    @property
    def _values(self) -> Any:  # noqa: ANN401 - a select of four columns, one of any type
        columns = table_of(self.model).c
        keyed_hash = columns[self.hash] if self.hash else literal(None)
        return select(self._row, self._sealed, cast(columns[self.bound_to], Text), keyed_hash)


SEALED = (
    SealedColumn(Item, "access_token_sealed", bound_to="item_id", hash="access_token_hash"),
    SealedColumn(
        ExchangeClaim,
        "public_token_sealed",
        bound_to="public_token_hash",
        hash="public_token_hash",
    ),
    SealedColumn(LinkSession, "link_token_sealed", bound_to="user_id", hash="link_token_hash"),
    SealedColumn(WebhookDelivery, "body_sealed", bound_to="jwt_hash"),
)
"""In the order in which losing them hurts."""


def key_name(sealed: str) -> str:
    """Return the name of the key in a sealed value, as the index has it."""
    return [*sealed.split(".", 2), ""][1]


_KEY_NAMES = """
    WITH RECURSIVE names (name) AS (
        (SELECT split_part({column}, '.', 2) FROM {table} WHERE {column} IS NOT NULL
         ORDER BY 1 LIMIT 1)
        UNION ALL
        SELECT (SELECT split_part({column}, '.', 2) FROM {table}
                WHERE split_part({column}, '.', 2) > name ORDER BY 1 LIMIT 1)
        FROM names WHERE name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL
"""

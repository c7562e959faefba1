"""Finds receipts: of an erasure, and of the parts that the erasure of a person has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bankloom.core.errors import NotFoundError
from bankloom.models import Erasure

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from bankloom.services.runtime import Runtime


class Receipt(NamedTuple):
    """An erasure as it stands; of a person's, what became of each Item."""

    erasure: Erasure
    parts: Sequence[Erasure]

    @property
    def rows_deleted(self) -> dict[str, int]:
        """How many rows were deleted, by table, all parts together."""
        counts: dict[str, int] = {}
        for each in (self.erasure, *self.parts):
            for table, rows in each.rows_deleted.items():
                counts[table] = counts.get(table, 0) + rows
        return {table: rows for table, rows in sorted(counts.items()) if rows}


def find(runtime: Runtime, receipt_id: uuid.UUID, reach: uuid.UUID | None) -> Receipt:
    """Return a receipt within the reach of one user, or of everyone. Errors: `NotFoundError`."""
    with runtime.database.session() as session:
        erasure = Erasure.find(session, receipt_id)
        if erasure is None or reach not in {None, erasure.user_id}:
            raise NotFoundError("There is no receipt of that id here.")
        return Receipt(erasure, Erasure.parts_of(session, receipt_id))

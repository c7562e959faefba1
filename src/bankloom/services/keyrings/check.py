"""Proves that every sealed value opens, row by row, and says which keys nothing is sealed under."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bankloom.core.keyring import SealBrokenError
from bankloom.models import SEALED, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bankloom.core.db import Database
    from bankloom.core.keyring import Keyring, Mark
    from bankloom.models import SealedColumn, SealedValue

ROWS_AT_ONCE = 200
"""What is in memory at a time: a webhook's body may be large."""


@dataclass
class Checked:
    """What a check has found: values by (column, key name), those that do not open, and who runs."""

    values: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)
    processes: Sequence[Process] = ()

    def unused(self, marks: Sequence[Mark]) -> list[str]:
        """Return the keys that no value and no running process seals under; the first one seals."""
        used = {name for _, name in self.values} | {
            each.sealing.partition(":")[0] for each in self.processes
        }
        return [mark.name for mark in marks[1:] if mark.name not in used]


def now(database: Database, keyring: Keyring, tell: Callable[[str, object, str], None]) -> Checked:
    """Open every sealed value; `tell` gets column, row and reason of each that does not open.

    A bounded number of rows at a time, each in a short transaction, beside a running service.
    """
    checked = Checked()
    for column in SEALED:
        last: object = None
        while values := _some(database, column, last):
            last = values[-1].row
            for value in values:
                place = (str(column), value.key_name)
                checked.values[place] += 1
                if reason := _fault(keyring, value):
                    checked.broken[place] += 1
                    tell(str(column), value.row, reason)
    with database.session() as session:
        checked.processes = Process.living(session)
    return checked


def _some(database: Database, column: SealedColumn, last: object) -> Sequence[SealedValue]:
    with database.session() as session:
        return column.after(session, last, ROWS_AT_ONCE)


def _fault(keyring: Keyring, value: SealedValue) -> str | None:
    """Say why a value does not open, or is not found by its secret; never what it is."""
    try:
        secret = keyring.open(value.sealed, value.bound_to)
    except SealBrokenError as error:
        return error.message
    if value.hash not in {None, keyring.hash(secret)}:
        return "It opens, but its keyed hash was made with another key 'index'."
    return None

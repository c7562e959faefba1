"""Rotates the data keys: one seals from now on, and every row is sealed anew under it, beside the service.

Killed at any moment it leaves every row readable, and the next call goes on: what is left to do is
what is not sealed under the key yet. It waits for no row while it holds one, so it is in nobody's
way; it changes sealed values only, so no run is fenced off.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import SealBrokenError
from bankloom.models import SEALED, Process, SealingKey
from bankloom.services import audit
from bankloom.services.keyrings.open_keyring import VARIABLE, file_of, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Mark
    from bankloom.models import SealedColumn, SealedValue
    from bankloom.services.runtime import Runtime

ROWS_AT_ONCE = 100
"""What one commit seals anew: a webhook's body may be large, and who waits for a row waits so long."""

PASSES_MAX = 3
"""A second pass finds what was sealed under the former key while the first went on; then there is none."""

TAKE_UP_SECONDS = 15
"""How long the processes may take to seal under the key: they read the file every two seconds."""

_POLL_SECONDS = 0.1
_LOCK = 0x726F74617465  # "rotate": one at a time
_LOCK_SECONDS = 10  # a killed one's connection is closed by then


@dataclass
class Rotated:
    """What a rotation has done: values sealed anew, values that did not open, by column."""

    to: Mark
    resealed: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    left: int = 0
    """Values that are still sealed under other keys, though they open."""


class Progress(NamedTuple):
    """How far it is: the column at hand, and how many of all values were looked at."""

    column: str
    done: int
    total: int


def now(runtime: Runtime, name: str | None, tell: Callable[[Progress], None]) -> Rotated:
    """Let this key seal, or the one that was added last, and seal every row anew under it.

    Errors: `ConfigurationError` where a running process lacks the key; no row was changed then.
    """
    with _alone(runtime):
        target = _begin(runtime, name)
        _wait_until_all_seal(runtime, target)
        return _Rotation(runtime, target, tell).run()


@contextmanager
def _alone(runtime: Runtime) -> Iterator[None]:
    """Keep a second rotation out: two that lead to different keys would never end."""
    with runtime.database.engine.connect() as connection:
        try:
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise ConfigurationError(
                    "Another `bankloom keys rotate` is at work. Wait for its end."
                ) from error
            raise
        try:
            yield
        finally:
            connection.invalidate()  # closed, and not given back: the lock ends with it


def _begin(runtime: Runtime, name: str | None) -> Mark:
    """Make the key the sealing one, if every process that runs has it, and return it."""
    with runtime.database.session() as session:
        SealingKey.lock(session)
        target = _chosen(runtime, session, name)
        _require_everywhere(runtime, session, target)
        marks = runtime.keyring.marks
        used = {each for column in SEALED for each in column.key_names(session)}
        former = [
            each for each in marks if each != target and (each.name in used or each == marks[0])
        ]
        _put_first(runtime, target)
        SealingKey.rotate(session, target, former)
        audit.note(runtime, session, audit.Action.KEYRING_ROTATED, key=target.name)
    return target


def _chosen(runtime: Runtime, session: Session, name: str | None) -> Mark:
    """Return the key of that name, or the fresh one that waits for its turn, or the one that seals."""
    first, *others = runtime.keyring.marks
    if name is not None:
        for mark in (first, *others):
            if mark.name == name:
                return mark
        raise ConfigurationError(
            f"The keyring has no data key '{name}'. Make one with `bankloom keys add {name}`. "
            "Nothing was changed."
        )
    if file_of(runtime.settings) is None:
        return first
    fresh = [each for each in others if _is_fresh(session, each)]
    if len(fresh) > 1:
        names = ", ".join(each.name for each in fresh)
        raise ConfigurationError(
            f"Several keys have never sealed: {names}. Say which one with --to. Nothing was changed."
        )
    return fresh[0] if fresh else first


def _is_fresh(session: Session, mark: Mark) -> bool:
    if SealingKey.is_known(session, mark.name):
        return False
    return all(mark.name not in column.key_names(session) for column in SEALED)


def _require_everywhere(runtime: Runtime, session: Session, target: Mark) -> None:
    living = Process.living(session)
    if lacking := [each for each in living if str(target) not in each.keys]:
        raise ConfigurationError(
            f"The key '{target.name}' is not on every running process: {named(lacking)} lacks it, "
            "and could not open what would be sealed. Give it to them (a copy of the keyring file, "
            f"or {VARIABLE} and a restart), then repeat this. Nothing was changed."
        )
    if file_of(runtime.settings) is None and runtime.keyring.marks[0] != target:
        raise ConfigurationError(
            f"The keyring comes from {VARIABLE}, where '{target.name}' is not the first entry. Put "
            "it first for every process, restart them all, then repeat this. Nothing was changed."
        )
    others = [each for each in living if each.sealing != str(target)]
    if file_of(runtime.settings) is None and others:
        raise ConfigurationError(_still_sealing(target, others) + " Nothing was changed.")


def _put_first(runtime: Runtime, target: Mark) -> None:
    file = file_of(runtime.settings)
    if file is None or runtime.keyring.marks[0] == target:
        return
    file.put_first(target.name)
    if runtime.keyring.reread is not None:
        runtime.keyring.reread()
    if runtime.keyring.marks[0] != target:
        raise ConfigurationError(
            f"The keyring file was changed meanwhile: '{target.name}' is not its first key. Look at "
            "it, and repeat this. No row was changed."
        )


def _wait_until_all_seal(runtime: Runtime, target: Mark) -> None:
    """Wait until no process seals under another key; those that read the same file do so soon."""
    deadline = time.monotonic() + TAKE_UP_SECONDS
    while True:
        with runtime.database.session() as session:
            others = [each for each in Process.living(session) if each.sealing != str(target)]
        if not others:
            return
        if time.monotonic() > deadline:
            raise ConfigurationError(_still_sealing(target, others) + " No row was changed.")
        time.sleep(_POLL_SECONDS)


def _still_sealing(target: Mark, others: Sequence[Process]) -> str:
    return (
        f"The key '{target.name}' is on every running process, but {named(others)} still seals under "
        f"another one. Put '{target.name}' first in its keyring (and restart it, if that is "
        f"{VARIABLE}), then repeat this."
    )


@dataclass
class _Rotation:
    runtime: Runtime
    target: Mark
    tell: Callable[[Progress], None]

    def __post_init__(self) -> None:
        self._rotated = Rotated(self.target)
        self._done = 0
        self._total = sum(self._count_left().values())

    def run(self) -> Rotated:
        """Walk until a walk finds nothing that it can seal anew."""
        for _ in range(PASSES_MAX):
            self._rotated.broken.clear()
            before = self._done_anew()
            for column in SEALED:
                self._walk(column)
            if self._done_anew() == before:
                break
        left = sum(self._count_left().values()) - sum(self._rotated.broken.values())
        self._rotated.left = max(0, left)
        return self._rotated

    def _count_left(self) -> dict[str, int]:
        """Count the values under other keys, by column."""
        with self.runtime.database.session() as session:
            return {
                str(column): sum(
                    count
                    for name, count in column.count_by_key(session).items()
                    if name != self.target.name
                )
                for column in SEALED
            }

    def _done_anew(self) -> int:
        return sum(self._rotated.resealed.values())

    def _walk(self, column: SealedColumn) -> None:
        with self.runtime.database.session() as session:
            names = column.key_names(session)
        for name in names:
            if name != self.target.name:
                self._walk_key(column, name)

    def _walk_key(self, column: SealedColumn, name: str) -> None:
        """Seal anew what is under this key, in the order of the rows: what does not open is passed."""
        last: object = None
        while True:
            with self.runtime.database.session() as session:
                rows = [each.row for each in column.after(session, last, ROWS_AT_ONCE, under=name)]
            if not rows:
                return
            last = rows[-1]
            seen = self._reseal(column, name, rows, waits=False)
            for row in rows:
                if (
                    row not in seen
                ):  # in other hands, or changed meanwhile; alone, it may be waited for
                    self._reseal(column, name, [row], waits=True)
            self._done += len(rows)
            self.tell(Progress(str(column), self._done, max(self._done, self._total)))

    def _reseal(
        self, column: SealedColumn, name: str, rows: Sequence[object], *, waits: bool
    ) -> set[object]:
        """Seal those of these rows anew that can be locked; return those that were seen."""
        with self.runtime.database.session() as session:
            values = column.locked(session, rows, name, waits=waits)
            fresh = {each: again for each in values if (again := self._sealed_anew(column, each))}
            count = column.replace(session, fresh) if fresh else 0
        told = self._rotated.resealed
        told[str(column)] = told.get(str(column), 0) + count
        return {each.row for each in values}

    def _sealed_anew(self, column: SealedColumn, value: SealedValue) -> str | None:
        keyring = self.runtime.keyring
        try:
            return keyring.seal(keyring.open(value.sealed, value.bound_to), value.bound_to)
        except SealBrokenError:
            told = self._rotated.broken
            told[str(column)] = told.get(str(column), 0) + 1
            return None

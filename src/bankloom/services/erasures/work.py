"""The work on one erasure: batches of rows under its lease, counted in the commits that delete them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import Erasure
from bankloom.services import jobs
from bankloom.services.exchange_token import lease_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.models.erased_rows import Rows
    from bankloom.services.runtime import Runtime

PASSES_MAX = 3
"""How often all is gone through at a time: what a batch left out, another has in hand for a moment."""

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


class LeftError(Exception):
    """An erasure is left to whoever goes on with it: a call, or the next turn. No caller sees it."""


@dataclass(frozen=True)
class Effort:
    """With how much patience an erasure is worked on, and who is told how many rows are gone."""

    should_stop: Callable[[], bool]
    tell: Callable[[str, int], None] = lambda _table, _rows: None


@dataclass(frozen=True)
class Work:
    """An erasure that is claimed, and the parts to do it with."""

    runtime: Runtime
    erasure: Erasure
    effort: Effort

    def delete(self, rows: Sequence[Rows], **params: object) -> None:
        """Delete these rows, but for those in other hands. Errors: `LeftError`."""
        for each in rows:
            while self._delete_batch(each, params):
                pass

    def _delete_batch(self, rows: Rows, params: dict[str, object]) -> int:
        if self.effort.should_stop():
            raise LeftError
        with self.runtime.database.session() as session:
            deleted = rows.delete(session, params)
            if deleted:
                self.count(session, rows.table, deleted if rows.deletes else 0)
        return deleted

    def count(self, session: Session, table: str, rows: int) -> None:
        """Count rows in the commit that deletes them, and hold on. Errors: `LeftError`."""
        until = lease_until(self.runtime, clock.now())
        if not self.erasure.count_deleted(session, table, rows, until):
            raise LeftError  # whoever has taken it over counts
        self.effort.tell(table, rows)

    def any_left(self, rows: Sequence[Rows], **params: object) -> bool:
        """Say whether any of these rows is still there."""
        with self.runtime.database.session() as session:
            return any(each.any_left(session, params) for each in rows)

    def hold_on(self) -> None:
        """Hold on to it before what may last. Errors: `LeftError`."""
        with self.runtime.database.session() as session:
            until = lease_until(self.runtime, clock.now())
            if not self.erasure.hold_on(session, until):
                raise LeftError

    def leave(self) -> None:
        """Let a turn go on at once."""
        with self.runtime.database.session() as session:
            self.erasure.put_off(session, clock.now(), None)
            jobs.turn_later(session, jobs.EXCHANGES_QUEUE)

    def put_off(self, wait: timedelta, **why: str | None) -> None:
        """Let a turn try again after a while, or a call at any time."""
        at = clock.now()
        with self.runtime.database.session() as session:
            self.erasure.put_off(session, at, at + wait, **why)

    def standing(self) -> Erasure:
        """Return the erasure as it stands now."""
        with self.runtime.database.session() as session:
            return session.get_one(Erasure, self.erasure.id)


def item_hash(runtime: Runtime, item_id: str) -> str:
    """Return the keyed hash that an erased Item is known by."""
    return runtime.keyring.hash(f"item {item_id}")


def account_hash(runtime: Runtime, account_id: str) -> str:
    """Return the keyed hash that an erased account is known by."""
    return runtime.keyring.hash(f"account {account_id}")


def user_hash(runtime: Runtime, name: str) -> str:
    """Return the keyed hash that an erased person is known by."""
    return runtime.keyring.hash(f"user {name}")


def claim_values(runtime: Runtime, at: datetime) -> dict[str, object]:
    """Return what every claim says: who asks, and until when they are at it."""
    return {"asked_by": runtime.actor, "lease_until": lease_until(runtime, at)}

"""The keys that sign webhooks: asked for once, kept in the process, looked at again in time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core import signatures
from bankloom.core.errors import BankloomError, WebhookUndecidedError
from bankloom.core.signatures import UnbelievedError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from joserfc.jwk import ECKey

LOOK_AGAIN_SECONDS = 24 * 3600.0
"""How long a key is trusted without a look: Plaid may end one that no new key has told us of."""

UNKNOWN_SECONDS = 60.0
"""How long a name that Plaid does not know is not asked about again: a new key may bear it by then."""

ENTRIES_MAX = 100
"""Plaid has a few keys at a time, and the allowance lets some twenty unknown names stand in a minute."""

UNSEEN_BURST = 10
UNSEEN_REFILL_SECONDS = 6.0
"""Anyone may name keys, and each unseen name is a call to Plaid, for which it publishes no limit. Ten at
once are more keys than it was ever seen to have; one in six seconds lets a new one in soon after a flood."""

TURNS = 64


class FoundKey(NamedTuple):
    """A key as its owner tells it, and how long it may be used without another look."""

    jwk: signatures.Jwk
    seconds: float = LOOK_AGAIN_SECONDS


class _Entry(NamedTuple):
    key: ECKey | None
    verdict: Verdict | None
    look_again_at: float


class WebhookKeys:
    """One process's cache of keys; safe to share between threads.

    `look_up` returns the key of a name, or None where Plaid says that there is none of it; any
    `BankloomError` of it means that this is not known now. Keys `seen_before` this process began
    need no allowance: a flood of made-up names must not keep it from learning Plaid's own again.
    """

    def __init__(
        self,
        look_up: Callable[[str], FoundKey | None],
        seen_before: Collection[str] = (),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._seen_before = frozenset(seen_before)
        self._seconds = seconds
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._unseen = Allowance(UNSEEN_BURST, UNSEEN_REFILL_SECONDS, seconds)

    def knows(self, kid: str) -> bool:
        """Say whether `get` answers at once, without asking anybody."""
        return self._fresh(kid) is not None

    def get(self, kid: str) -> ECKey:
        """Return the key of this name. Blocks where it has to be asked for, one asking at a time.

        Errors: `UnbelievedError` where it may sign nothing; `WebhookUndecidedError`.
        """
        entry = self._fresh(kid)
        if entry is None:
            with self._turns[hash(kid) % TURNS]:
                entry = self._fresh(kid) or self._look(kid)
        if entry.key is None:
            raise UnbelievedError(entry.verdict or Verdict.UNKNOWN_KEY, kid)
        return entry.key

    def _fresh(self, kid: str) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(kid)
        return entry if entry and self._seconds() < entry.look_again_at else None

    def _look(self, kid: str) -> _Entry:
        """Ask for a key that is unseen, or was seen too long ago."""
        with self._lock:
            old = self._entries.get(kid)
        is_unseen = old is None or old.key is None
        if is_unseen and kid not in self._seen_before and not self._unseen.take():
            raise WebhookUndecidedError
        try:
            found = self._look_up(kid)
        except BankloomError as error:
            raise WebhookUndecidedError from error
        entry = self._entry(kid, found)
        with self._lock:
            if is_unseen and entry.key is not None:
                self._doubt_the_others()
            self._keep(kid, entry)
        return entry

    def _entry(self, kid: str, found: FoundKey | None) -> _Entry:
        now = self._seconds()
        if found is None:
            return _Entry(None, Verdict.UNKNOWN_KEY, now + UNKNOWN_SECONDS)
        try:
            key = signatures.public_key(found.jwk, kid)
        except UnbelievedError as refused:
            return _Entry(None, refused.verdict, now + UNKNOWN_SECONDS)
        return _Entry(key, None, now + found.seconds)

    def _doubt_the_others(self) -> None:
        """Have every other key looked at before it is used again: a new one may have ended it.

        Only a key that Plaid really has does this; a made-up name must not cost more than its call.
        """
        for kid, entry in self._entries.items():
            if entry.key is not None:
                self._entries[kid] = entry._replace(look_again_at=self._seconds())

    def _keep(self, kid: str, entry: _Entry) -> None:
        self._entries[kid] = entry
        if len(self._entries) > ENTRIES_MAX:
            del self._entries[
                min(self._entries, key=lambda each: self._entries[each].look_again_at)
            ]


class Allowance:
    """So many at once, and one more each time the refill has passed; safe to share between threads."""

    def __init__(self, burst: int, refill_seconds: float, seconds: Callable[[], float]) -> None:
        self._burst = burst
        self._refill_seconds = refill_seconds
        self._seconds = seconds
        self._left = float(burst)
        self._counted_at = seconds()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one; False where none is left."""
        with self._lock:
            now = self._seconds()
            refilled = self._left + (now - self._counted_at) / self._refill_seconds
            self._left, self._counted_at = min(refilled, self._burst), now
            if self._left < 1:
                return False
            self._left -= 1
            return True

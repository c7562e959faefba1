"""Verifies the audit log: walks the chain and says where it breaks, and why."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bankloom.models.audit_entry import NO_LINK, AuditEntry, Link
from bankloom.services import audit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Keyring

FORGED = "it was changed after it was written, or Bankloom did not write it"
UNCHAINED = "it does not follow from the entry before it: one was put in, taken out or moved"
MISSING = "it is missing"
OTHER = "it is not the entry that was seen there before: the log was cut and written anew"
CUT = "it was seen before, and is missing: the log was cut, or an older backup restored"


@dataclass
class Verdict:
    """What a walk has found. `sealed` entries are good, and `end` is the last of them.

    `broken_at` is the number of the first entry that is not as it should be, None for one that has
    no number yet; `why` is None where all is well.
    """

    sealed: int = 0
    unsealed: int = 0
    oldest_unsealed_at: datetime | None = None
    end: Link = NO_LINK
    broken_at: int | None = None
    why: str | None = None

    def breaks(self, seq: int | None, why: str) -> Verdict:
        """Return itself, broken there."""
        self.broken_at, self.why = seq, why
        return self


def now(keyring: Keyring, session: Session, seen: Iterable[Link]) -> Verdict:
    """Walk all entries up to the first that is wrong; `seen` are links that must be among them."""
    with closing(AuditEntry.walk(session)) as entries:
        return _walk(keyring, entries, {link.seq: link.hash for link in seen})


def _walk(keyring: Keyring, entries: Iterable[AuditEntry], expected: dict[int, bytes]) -> Verdict:
    verdict = Verdict()
    for entry in entries:
        genuine = entry.mac == audit.mac_of(keyring, entry)
        if entry.link is None:
            verdict.unsealed += 1
            verdict.oldest_unsealed_at = verdict.oldest_unsealed_at or entry.at
            if not genuine:
                return verdict.breaks(None, FORGED)
        elif why := _fault(keyring, verdict.end, entry, entry.link, genuine=genuine):
            return verdict.breaks(verdict.end.seq + 1, why)
        else:
            verdict.sealed += 1
            verdict.end = entry.link
            if expected.pop(entry.link.seq, entry.link.hash) != entry.link.hash:
                return verdict.breaks(entry.link.seq, OTHER)
    return verdict.breaks(min(expected), CUT) if expected else verdict


def _fault(
    keyring: Keyring, before: Link, entry: AuditEntry, link: Link, *, genuine: bool
) -> str | None:
    """Say what is wrong with a sealed entry, if anything is."""
    if link.seq != before.seq + 1:
        return MISSING
    if not genuine:
        return FORGED
    return None if link == audit.link_after(keyring, before, entry.mac) else UNCHAINED

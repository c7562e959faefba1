"""Seals the audit log: chains what was committed since, and remembers the end outside the database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import text

from bankloom.core import data_dir, private_files
from bankloom.core.errors import ConfigurationError
from bankloom.models.audit_entry import NO_LINK, AuditEntry, Link
from bankloom.services import audit

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

HEAD_FILE = "audit-head"
"""The newest link that this data folder has seen, as `seq:hash`. It grows only with the chain."""

SEALED_MAX = 1000
ROUNDS_MAX = 10
"""Rounds of a bounded number of entries, a commit each: the rest is sealed at the next tick."""
_LOCK = 0x6175646974
"""The key of an advisory lock: "audit"."""


def now(runtime: Runtime) -> None:
    """Seal what is committed. Of several workers one does; writers of entries never wait for it.

    An entry that is committed late, with an earlier time, is chained when it is seen.
    """
    for _ in range(ROUNDS_MAX):
        with runtime.database.session() as session:
            sealed, end = _seal(runtime, session)
        if sealed:
            log.info("Audit log: sealed up to %s", as_text(end))
            _remember(runtime, end)
        if sealed < SEALED_MAX:
            return


def _seal(runtime: Runtime, session: Session) -> tuple[int, Link]:
    """Seal one round; return how many entries, and the last link."""
    taken = session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK})
    if not taken.scalar_one():
        return 0, NO_LINK
    entries = AuditEntry.unsealed(session, SEALED_MAX)
    if not entries:
        return 0, NO_LINK
    end = AuditEntry.end_of_chain(session)
    links = {}
    for entry_id, mac in entries:
        links[entry_id] = end = audit.link_after(runtime.keyring, end, mac)
    AuditEntry.seal(session, links)
    return len(links), end


def _remember(runtime: Runtime, end: Link) -> None:
    """Keep the end in the data folder, unless it belies the one that is kept: that is evidence."""
    folder = runtime.settings.data_dir
    try:
        kept = remembered(folder)
        if kept is not None:
            with runtime.database.session() as session:
                holds = AuditEntry.link_at(session, kept.seq) == kept
            if not holds:
                log.error(
                    "The audit log does not hold entry %s, which was seen before: an older backup was "
                    "restored, or it was tampered with. See `bankloom audit verify`",
                    as_text(kept),
                )
                return
            if kept.seq >= end.seq:
                return
        with data_dir.opened(folder):
            private_files.write(folder / HEAD_FILE, f"{as_text(end)}\n")
    except ConfigurationError as error:
        log.warning("The end of the audit log is not kept outside the database: %s", error.message)


def remembered(folder: Path) -> Link | None:
    """Return the newest link that the data folder has seen, or None. Errors: `ConfigurationError`."""
    file = folder / HEAD_FILE
    try:
        return parse(file.read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} can't be read as the end of an audit log ({error}). Look into it; remove it to "
            "begin anew."
        ) from error


def as_text(link: Link) -> str:
    """Write a link as `seq:hash`, to be kept anywhere."""
    return f"{link.seq}:{link.hash.hex()}"


def parse(words: str) -> Link:
    """Read what `as_text` wrote. Errors: `ValueError`."""
    seq, _, digest = words.partition(":")
    return Link(int(seq), bytes.fromhex(digest))

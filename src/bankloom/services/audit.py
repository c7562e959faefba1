"""Writes the audit log: what is noted, and an entry in the same commit as what it tells of."""

from __future__ import annotations

import enum
import hmac
import json
import uuid
from datetime import UTC
from typing import TYPE_CHECKING, Any, Self

from bankloom.core import clock
from bankloom.models.audit_entry import AuditEntry, Link

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Keyring
    from bankloom.models.audit_entry import Facts
    from bankloom.services.runtime import Runtime

PURPOSE = "audit log"
"""What the key of the log is derived for: it makes nothing else."""
TEXT_MAX = 200
LISTED_MAX = 20
"""No fact is longer: an entry stays small, whoever chose the words in it."""


class Action(enum.StrEnum):
    """What is noted, and what an entry of it tells. Its row in docs/operating.md says the same."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        """Make a member of a name and a sentence."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    LINK_TOKEN_CREATED = (
        "link_token.created",
        "Link was opened: to link, or as an Item's update mode.",
    )
    ITEM_LINKED = "item.linked", "A public token was exchanged, or a product added to its Item."
    ITEM_IMPORTED = "item.imported", "An Item linked elsewhere was taken over, or changed by that."
    ITEM_REPAIRED = "item.repaired", "Somebody, or Plaid, said that update mode was gone through."
    ITEM_REFRESHED = "item.refreshed", "Plaid was asked to ask the bank again, which it bills."
    ACCOUNT_ERASED = (
        "account.erased",
        "An account's data was erased, after it was taken back at the bank.",
    )
    ITEM_REMOVED = (
        "item.removed",
        "An Item was removed at Plaid, for its data to be erased, or kept; or what was kept was erased.",
    )
    USER_ERASED = "user.erased", "A whole person was erased."
    DUPLICATE_DISCARDED = "duplicate.discarded", "A held duplicate was thrown away."
    TOKEN_ROTATED = "token.rotated", "Plaid replaced an access token, and the new one was stored."
    KEYRING_ROTATED = "keyring.rotated", "Another key of the keyring was made the one that seals."
    TOKEN_TOLD = "token.told", "A raw access token was given to a caller."
    SYNC_ASKED = (
        "sync.asked",
        "Somebody asked for a run; those that come by themselves are not noted.",
    )
    RUN_CANCELLED = "run.cancelled", "A run was cancelled by hand."
    SIGN_IN_CODE_MADE = "signin.code_made", "A link was printed that signs in to the console, once."
    SIGNED_IN = "signed_in", "Somebody signed in to the console: with such a link, or with a key."
    SIGNED_OUT = "signed_out", "Somebody signed out of the console."
    SESSIONS_ENDED = (
        "sessions.ended",
        "All sessions of the console, and unused links to it, were ended.",
    )
    WEBHOOK_REPLAYED = "webhook.replayed", "What a webhook asks for was done again by hand."
    KEY_CREATED = "key.created", "A lasting API key was made."
    KEY_MINTED = "key.minted", "An app made a short-lived key for one person."
    KEY_REVOKED = "key.revoked", "An API key was ended, with all that it minted."
    READER_TOLD = "reader.told", "The read-only role's address was given out, with its password."
    DATABASE_BACKED_UP = "database.backed_up", "A backup was begun; the entry is in it."
    DATABASE_RESTORED = "database.restored", "This database was filled from a backup."
    DATABASE_MOVED = "database.moved", "This database was copied from another one."


def note(
    runtime: Runtime,
    session: Session,
    action: Action,
    *,
    item_id: str | None = None,
    user_id: uuid.UUID | None = None,
    **facts: Any,
) -> None:
    """Note in this session's commit that the runtime's actor does this; no action without its entry.

    Ids only, never a name, a secret or what a bank told: entries can't be erased.
    """
    write(
        runtime.keyring,
        session,
        runtime.actor,
        action,
        item_id=item_id,
        user_id=user_id,
        facts=facts,
    )


def write(  # noqa: PLR0913 - the columns of an entry, and what it is written with
    keyring: Keyring,
    session: Session,
    actor: str,
    action: Action,
    *,
    item_id: str | None = None,
    user_id: uuid.UUID | None = None,
    facts: dict[str, Any],
) -> None:
    """As `note`, for who has no runtime."""
    entry = AuditEntry(
        id=uuid.uuid4(),
        at=clock.now(),
        actor=actor[:TEXT_MAX],
        action=str(action),
        item_id=item_id,
        user_id=user_id,
        facts={name: _bounded(value) for name, value in facts.items()},
    )
    entry.mac = mac_of(keyring, entry)
    AuditEntry.add(session, entry)


def mac_of(keyring: Keyring, entry: AuditEntry) -> bytes:
    """Return what proves that we wrote the entry as it stands: whoever has only the database can't."""
    facts: Facts = entry.facts
    columns = [
        str(entry.id),
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor,
        entry.action,
        entry.item_id,
        entry.user_id and str(entry.user_id),
        facts,
    ]
    return _mac(keyring, "entry", *columns)


def link_after(keyring: Keyring, before: Link, mac: bytes) -> Link:
    """Return the link of the entry with this mac, after another link: it proves all before it."""
    seq = before.seq + 1
    return Link(seq, _mac(keyring, "link", before.hash.hex(), seq, mac.hex()))


def _mac(keyring: Keyring, *values: Any) -> bytes:
    """Return an HMAC over a text that is one for equal values: JSON with its keys in order."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(keyring.derive(PURPOSE), canonical, "sha256")


def _bounded(value: Any) -> str | int | bool | list[str] | None:  # noqa: ANN401 - ids come as what they are
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, list | tuple):
        return [str(each)[:TEXT_MAX] for each in value[:LISTED_MAX]]
    return str(value)[:TEXT_MAX]

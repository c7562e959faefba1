"""Cursors of /transactions/sync: an opaque, signed place in one Item's changes."""

import base64
import binascii
from hashlib import blake2b

import msgspec
from msgspec import Struct

from platypus_bank.errors import InvalidField
from platypus_bank.records import Item

_SIGNATURE_BYTES = 8
MAX_CHARS = 256


class Cursor(Struct, frozen=True, array_like=True):
    """Where a client is.

    `base` is the change it holds everything up to; `snapshot` the Item's last change when the
    loop began (equal to `base` between loops); `position` how far this loop has come; `page`
    the next page of the script that stands at `position`.
    """

    item: int
    era: int
    account_id: str
    base: int
    position: int
    snapshot: int
    page: int = 0

    @property
    def is_between_loops(self) -> bool:
        """Tell a loop's first or final cursor from one in the middle."""
        return self.base == self.snapshot


def start(item: Item, account_id: str, base: int = 0) -> Cursor:
    """Return the cursor of a client that holds all changes up to `base`."""
    return Cursor(item.number, item.cursor_era, account_id, base, base, base)


def write(cursor: Cursor, seed: int) -> str:
    """Return the text a client keeps: base64, at most 256 characters."""
    packed = msgspec.msgpack.encode(cursor)
    return base64.b64encode(_signature(packed, seed) + packed).decode("ascii")


def read(text: str, item: Item, account_id: str, seed: int) -> Cursor:
    """Return the cursor a client sent.

    Raises InvalidField when it is garbled, or of another Item, account stream or era; Plaid
    documents no difference between these.
    """
    try:
        raw = base64.b64decode(text, validate=True)
        signature, packed = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        cursor = msgspec.msgpack.decode(packed, type=Cursor)
    except (binascii.Error, ValueError, msgspec.DecodeError) as problem:
        raise _not_associated() from problem
    owner = (cursor.item, cursor.era, cursor.account_id)
    expected = (item.number, item.cursor_era, account_id)
    if signature != _signature(packed, seed) or owner != expected:
        raise _not_associated()
    return cursor


def peek(text: str | None) -> Cursor | None:
    """Return what a cursor says, whosesoever it is; None where it is none of ours."""
    try:
        raw = base64.b64decode(text or "", validate=True)
        return msgspec.msgpack.decode(raw[_SIGNATURE_BYTES:], type=Cursor)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None


def _not_associated() -> InvalidField:
    return InvalidField("cursor not associated with access_token")


def _signature(packed: bytes, seed: int) -> bytes:
    return blake2b(packed, digest_size=_SIGNATURE_BYTES, key=b"%d" % seed).digest()

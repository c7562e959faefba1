"""Seals secrets at rest and finds them again by a keyed hash: AES-256-GCM under named keys.

A sealed value is `v1.<key name>.<base64 of nonce and ciphertext>`; what it belongs to (an Item's
id, say) is bound in as associated data, so that a value moved to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bankloom.core import private_files
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES = 32
NAME_LENGTH_MAX = 64  # it stands in every sealed value
NONCE_BYTES = 12  # what NIST SP 800-38D recommends for GCM
INDEX_KEY_NAME = "index"
_VERSION = "v1"
_FINGERPRINT_OF = b"bankloom: fingerprint of a data key"
_FINGERPRINT_HEX = 32
_HOW_TO_MEND = (
    "Give the former keyring back from a backup: a fresh key opens nothing that was sealed before. "
    "For a new database, `bankloom keys generate NAME` prints an entry."
)


class SealBrokenError(ConfigurationError):
    """A sealed value does not open: its key is not in the keyring, or the value was moved."""

    code = "seal_broken"


class Mark(NamedTuple):
    """A data key as others may know it: its name, and a one-way fingerprint of its bytes."""

    name: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.name}:{self.fingerprint}"


class Keyring:
    """Named 256-bit keys: the first data key seals, all of them open; one more makes the hashes.

    Where its keys are read again while it is in use, they change all at once. `reread` is called
    before a value is given up whose key is not here: a key may have come since.
    """

    reread: Callable[[], None] | None = None

    def __init__(self, data_keys: dict[str, bytes], index_key: bytes) -> None:
        if not data_keys:
            raise ConfigurationError(f"The keyring holds no data key. {_HOW_TO_MEND}")
        self._data = _DataKeys(
            {name: AESGCM(key) for name, key in data_keys.items()},
            tuple(Mark(name, _fingerprint(key)) for name, key in data_keys.items()),
        )
        self._index_key = index_key

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks of the data keys, the sealing one first."""
        return self._data.marks

    def take_keys_of(self, newer: Keyring) -> None:
        """Use another keyring's data keys from now on; what this one has opened so far, it still opens.

        Errors: `ConfigurationError` where that would lose sight of what this one has sealed or
        hashed; this one goes on as it was then.
        """
        ours = {mark.name: mark for mark in self.marks}
        changed = [mark.name for mark in newer.marks if ours.get(mark.name, mark) != mark]
        if changed or not hmac.compare_digest(self._index_key, newer._index_key):
            names = ", ".join(f"'{name}'" for name in changed or [INDEX_KEY_NAME])
            raise ConfigurationError(
                f"The keyring file has other keys under the names {names} than before. Nothing was "
                "taken from it: give the former keys back, and add new ones under new names."
            )
        self._data = _DataKeys({**self._data.ciphers, **newer._data.ciphers}, newer.marks)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name:base64,name:base64,index:base64`; the name `index` is the hashing key.

        Errors: `ConfigurationError` that never quotes the text, since it holds the keys.
        """
        entries = [entry for entry in text.replace("\n", ",").split(",") if entry.strip()]
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(entries, start=1):
            name, key = _parse_entry(number, entry)
            if name in keys:
                raise ConfigurationError(
                    f"The keyring names two keys alike (entry {number}). {_HOW_TO_MEND}"
                )
            keys[name] = key
        index_key = keys.pop(INDEX_KEY_NAME, None)
        if index_key is None:
            raise ConfigurationError(
                "The keyring has no key named 'index'. It needs one data key and the index key, "
                f"'main:<base64 of 32 bytes>,index:<base64 of 32 bytes>'. {_HOW_TO_MEND}"
            )
        return cls(keys, index_key)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the keyring file, or make it with fresh keys and mode 0600 if there is none."""
        fresh = f"{fresh_entry('main')}\n{fresh_entry(INDEX_KEY_NAME)}\n"
        return cls.parse(private_files.read_or_create(path, fresh))

    def seal(self, secret: str, bound_to: str) -> str:
        """Encrypt `secret`; it opens only with the same `bound_to`."""
        data, nonce = self._data, os.urandom(NONCE_BYTES)
        name = data.marks[0].name
        sealed = data.ciphers[name].encrypt(nonce, secret.encode(), bound_to.encode())
        return f"{_VERSION}.{name}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, bound_to: str) -> str:
        """Decrypt what `seal` made. Errors: `SealBrokenError`."""
        version, name, body = [*sealed.split(".", 2), "", ""][:3]
        if version != _VERSION:
            raise SealBrokenError
        try:
            raw = base64.b64decode(body, validate=True)
            opened = self._cipher(name).decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError from error
        return opened.decode()

    def _cipher(self, name: str) -> AESGCM:
        if name not in self._data.ciphers and self.reread is not None:
            self.reread()
        cipher = self._data.ciphers.get(name)
        if cipher is None:
            raise SealBrokenError(
                f"A stored secret was sealed under the key '{name}', which is not in the keyring. "
                "Give that key back through BANKLOOM_ENCRYPTION_KEYS or the keyring file."
            )
        return cipher

    def hash(self, secret: str) -> str:
        """Return the keyed hash (HMAC-SHA-256, hex) that finds a sealed secret again."""
        return hmac.new(self._index_key, secret.encode(), hashlib.sha256).hexdigest()

    def derive(self, purpose: str) -> bytes:
        """Return a key of 256 bits for another purpose; every process with this keyring has it.

        It comes from the index key, so it stays the same when the data keys are rotated. By HKDF:
        as an HMAC under that key it would be what `hash` makes of a text that a caller may choose,
        and the database keeps those.
        """
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self._index_key)


class _DataKeys(NamedTuple):
    ciphers: dict[str, AESGCM]
    marks: tuple[Mark, ...]


def fresh_entry(name: str) -> str:
    """Return an entry with a fresh key: `name:<base64 of 32 bytes>`. Errors: `ConfigurationError`."""
    may_be_made = _may_be_a_name(name) and name.isascii() and len(name) <= NAME_LENGTH_MAX
    if not may_be_made or name.startswith("-"):  # which a command takes for an option
        raise ConfigurationError(
            "A key's name is of ASCII letters, digits, '-' and '_', 64 at most, with no '-' in front. "
            "Nothing was changed."
        )
    return f"{name}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _fingerprint(key: bytes) -> str:
    return hmac.new(key, _FINGERPRINT_OF, hashlib.sha256).hexdigest()[:_FINGERPRINT_HEX]


def _may_be_a_name(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


def _parse_entry(number: int, entry: str) -> tuple[str, bytes]:
    name, _, text = entry.strip().partition(":")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or not _may_be_a_name(name):
        raise ConfigurationError(
            f"Key {number} of the keyring is not 'name:<base64 of 32 bytes>'. {_HOW_TO_MEND}"
        )
    return name, key

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
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bankloom.core import private_files
from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 12  # what NIST SP 800-38D recommends for GCM
INDEX_KEY_NAME = "index"
_VERSION = "v1"


class SealBrokenError(ConfigurationError):
    """A sealed value does not open: its key is not in the keyring, or the value was moved."""

    code = "seal_broken"


class Keyring:
    """Named 256-bit keys: the first data key seals, all of them open; one more makes the hashes."""

    def __init__(self, data_keys: dict[str, bytes], index_key: bytes) -> None:
        if not data_keys:
            raise ConfigurationError("The keyring holds no data key; see BANKLOOM_ENCRYPTION_KEYS.")
        self._ciphers = {name: AESGCM(key) for name, key in data_keys.items()}
        self._sealing_name = next(iter(data_keys))
        self._index_key = index_key

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
                raise ConfigurationError(f"The keyring names two keys alike (entry {number}).")
            keys[name] = key
        index_key = keys.pop(INDEX_KEY_NAME, None)
        if index_key is None:
            raise ConfigurationError(
                "The keyring has no key named 'index'. It needs one data key and the index key: "
                "'main:<base64 of 32 bytes>,index:<base64 of 32 bytes>'."
            )
        return cls(keys, index_key)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the keyring file, or make it with fresh keys and mode 0600 if there is none."""
        fresh = f"main:{_fresh_key()}\n{INDEX_KEY_NAME}:{_fresh_key()}\n"
        return cls.parse(private_files.read_or_create(path, fresh))

    def seal(self, secret: str, bound_to: str) -> str:
        """Encrypt `secret`; it opens only with the same `bound_to`."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._sealing_name].encrypt(
            nonce, secret.encode(), bound_to.encode()
        )
        return f"{_VERSION}.{self._sealing_name}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, bound_to: str) -> str:
        """Decrypt what `seal` made. Errors: `SealBrokenError`."""
        version, name, body = [*sealed.split(".", 2), "", ""][:3]
        if version != _VERSION:
            raise SealBrokenError
        if name not in self._ciphers:
            raise SealBrokenError(
                f"A stored secret was sealed under the key '{name}', which is not in the keyring. "
                "Give that key back through BANKLOOM_ENCRYPTION_KEYS or the keyring file."
            )
        try:
            raw = base64.b64decode(body, validate=True)
            opened = self._ciphers[name].decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError from error
        return opened.decode()

    def hash(self, secret: str) -> str:
        """Return the keyed hash (HMAC-SHA-256, hex) that finds a sealed secret again."""
        return hmac.new(self._index_key, secret.encode(), hashlib.sha256).hexdigest()

    def derive(self, purpose: str) -> bytes:
        """Return a key of 256 bits for another purpose; every process with this keyring has it.

        It comes from the index key, so it stays the same when the data keys are rotated.
        """
        return hmac.new(self._index_key, b"bankloom " + purpose.encode(), hashlib.sha256).digest()


def _fresh_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _parse_entry(number: int, entry: str) -> tuple[str, bytes]:
    name, _, text = entry.strip().partition(":")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(
            f"Key {number} of the keyring is not 'name:<base64 of 32 bytes>'. Make one with: "
            "python3 -c 'import os,base64;print(base64.b64encode(os.urandom(32)).decode())'"
        )
    return name, key

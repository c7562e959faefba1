"""Ids and tokens: made from the world's seed and a number, so the same calls give the same ids."""

import secrets
import string
import uuid
from collections.abc import Callable
from hashlib import blake2b

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BYTE_TO_BASE62 = bytes(ord(_BASE62[byte % 62]) for byte in range(256))
ENVIRONMENT = "sandbox"
ID_LENGTH = 37
REQUEST_ID_LENGTH = 15


def plaid_id(seed: int, number: int) -> str:
    """Return the 37 case-sensitive base62 characters of id `number` in the world `seed`."""
    digest = blake2b(b"%d/%d" % (seed, number), digest_size=ID_LENGTH).digest()
    return digest.translate(_BYTE_TO_BASE62).decode("ascii")


def named_id(*name: str) -> str:
    """Return the id that bears a name in every world, as a security's does."""
    digest = blake2b("\0".join(name).encode(), digest_size=ID_LENGTH).digest()
    return digest.translate(_BYTE_TO_BASE62).decode("ascii")


def request_id() -> str:
    """Return the 15 characters of a fresh request_id; not part of the seeded world."""
    return "".join(secrets.choice(_BASE62) for _ in range(REQUEST_ID_LENGTH))


class Ids:
    """Hands out ids of one world, each made from the next number of a stored counter.

    `reserve(n)` moves the counter on by n and returns the first of the n numbers.
    """

    def __init__(self, seed: int, reserve: Callable[[int], int]) -> None:
        self.seed = seed
        self._reserve = reserve

    def take(self) -> str:
        """Return the next Plaid-shaped id (item, account, transaction)."""
        return plaid_id(self.seed, self._reserve(1))

    def named(self, *name: str) -> str:
        """Return the id that bears a name in this world."""
        return named_id(str(self.seed), *name)

    def take_range(self, count: int) -> range:
        """Reserve `count` numbers at once, for `plaid_id` to turn into ids one by one."""
        first = self._reserve(count)
        return range(first, first + count)

    def uuid(self) -> str:
        """Return the next UUID, for tokens and Link sessions."""
        digest = blake2b(b"%d/uuid/%d" % (self.seed, self._reserve(1)), digest_size=16).digest()
        return str(uuid.UUID(bytes=digest, version=4))

    def token(self, kind: str) -> str:
        """Return the next `<kind>-sandbox-<uuid>` token."""
        return f"{kind}-{ENVIRONMENT}-{self.uuid()}"

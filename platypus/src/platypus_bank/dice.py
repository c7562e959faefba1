"""Chance that comes out the same again: thrown from a key, not from a generator with a state."""

from hashlib import blake2b

_BYTES = 8
_FACES: int = 256**_BYTES


def falls(chance: float, *key: object) -> bool:
    """Tell whether a chance (0 to 1) comes true for this key; the same key always answers alike."""
    written = "\0".join(map(str, key)).encode()
    thrown = int.from_bytes(blake2b(written, digest_size=_BYTES).digest())
    return thrown < chance * _FACES

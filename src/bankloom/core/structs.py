"""Makes msgspec's structs safe to use from many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_ready() -> set[type[msgspec.Struct]]:
    """Let msgspec learn every struct of ours that was imported; return them. One thread calls this.

    msgspec 0.22 reads a struct's fields when it is first decoded, and where two threads do that at
    the same moment, one finds a half-made table and the process dies of a segmentation fault.
    """
    ours = {kind for kind in _subclasses(msgspec.Struct) if kind.__module__.startswith("bankloom.")}
    for kind in ours:
        msgspec.json.Decoder(kind)
    return ours


def _subclasses(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)

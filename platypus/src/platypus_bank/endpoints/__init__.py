"""Plaid's endpoints by product; every table maps a path to (request type, handler)."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from platypus_bank.requests import PlaidRequest
from platypus_bank.world import World


class File(Struct):
    """An answer that is no JSON: its request_id and its checksum stand in the headers."""

    content: bytes
    media_type: str

    def headers(self, request_id: str) -> dict[str, str]:
        """Return what tells a client which call this is, and whether all of it arrived."""
        checksum = sha256(self.content).hexdigest()
        return {"Plaid-Request-ID": request_id, "Plaid-Content-Hash": checksum}


Reply = dict[str, Any] | File
Handler = Callable[[World, Any], Reply]
Table = Mapping[str, tuple[type[PlaidRequest], Handler]]

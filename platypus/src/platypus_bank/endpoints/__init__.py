"""Plaid's endpoints by product; every table maps a path to (request type, handler)."""

from collections.abc import Callable, Mapping
from typing import Any

from platypus_bank.requests import PlaidRequest
from platypus_bank.world import World

Handler = Callable[[World, Any], dict[str, Any]]
Table = Mapping[str, tuple[type[PlaidRequest], Handler]]

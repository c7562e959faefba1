"""Plaid's rate limits: the published table beside this file, and what an operator puts over it."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bankloom.core.errors import ConfigurationError
from bankloom.services import plaid_client

OFF = "off"

WINDOW_SECONDS = 62.0
"""Plaid's minute, and 2 s for the way there: of two calls the first may be the later one to arrive."""

BURST_SHARE = 0.2
"""How much of a limit may be used at once; the rest comes back evenly.

More would let a longer first history through without a wait (an Item's 50 pages a minute: 10 of them,
5,000 transactions), but the more may come at once, the fewer may follow: in any window, burst and
refill together stay within the limit. A fifth leaves four fifths of it to a long history.
"""


class Limit(msgspec.Struct, frozen=True):
    """At most so many calls in any window of a minute.

    After n calls at least (n - burst) x step have passed since the first of them, so one more than
    the limit takes a whole window.
    """

    calls: int

    @property
    def burst(self) -> int:
        """How many calls may leave at once."""
        return math.ceil(self.calls * BURST_SHARE)

    @property
    def step_seconds(self) -> float:
        """How long it takes until a call that was spent is regained."""
        return WINDOW_SECONDS / (self.calls + 1 - self.burst)


_Calls = Annotated[int, msgspec.Meta(ge=1)]


class EndpointLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of one endpoint, in calls a minute; None: there is none."""

    item: _Calls | None = None
    client: _Calls | None = None
    empty_cursor: _Calls | None = None


Environment = Literal["sandbox", "production"]
RateLimits = dict[str, EndpointLimits]
"""By the endpoint's path."""


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    production: RateLimits = {}
    sandbox: RateLimits = {}

    def of(self, environment: Environment) -> RateLimits:
        return self.production if environment == "production" else self.sandbox


def read(setting: str | None, environment: Environment) -> RateLimits:
    """Return the limits of an environment: Plaid's, with an operator's file over them, or none.

    `setting` is the path of that file, `off`, or None. Errors: `ConfigurationError`.
    """
    if setting == OFF:
        return {}
    published = (resources.files(__package__) / "rate_limits.toml").read_bytes()
    own = _own(Path(setting)) if setting else _Table()
    return _decode(published).of(environment) | own.of(environment)


def _own(path: Path) -> _Table:
    try:
        table = _decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"BANKLOOM_RATE_LIMITS names {path}, which is not a table of rate limits: {error}. See "
            f"docs/integrations/plaid_config.md, or set it to '{OFF}'."
        ) from error
    unknown = sorted((table.production | table.sandbox).keys() - plaid_client.endpoints())
    if unknown:
        raise ConfigurationError(
            f"{path}, which BANKLOOM_RATE_LIMITS names, limits {', '.join(unknown)}, and Plaid has "
            "no such endpoint. Check the spelling: without this, nothing would be limited by it."
        )
    return table


def _decode(text: bytes) -> _Table:
    return msgspec.toml.decode(text, type=_Table)

"""What the doctor says: a finding a line, and what an error of ours means as one."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core.errors import BankloomError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Standing(enum.StrEnum):
    """How what was looked at stands."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    """One line: what was looked at, how it stands, what was seen, and what to do next if anything."""

    name: str
    standing: Standing
    seen: str
    next_step: str = ""


def ok(name: str, seen: str) -> Finding:
    """Say that all is well."""
    return Finding(name, Standing.OK, seen)


def warning(name: str, seen: str, next_step: str) -> Finding:
    """Say what works, but not as well as it should."""
    return Finding(name, Standing.WARNING, seen, next_step)


def failure(name: str, seen: str, next_step: str) -> Finding:
    """Say what does not work."""
    return Finding(name, Standing.FAILURE, seen, next_step)


def failed(name: str, error: BankloomError) -> Finding:
    """Say it with the error's own words, which end with what to do."""
    seen, _, next_step = error.message.partition(". ")
    return failure(name, f"{seen.rstrip('.')}.", next_step)


def guarded(name: str, check: Iterable[Finding]) -> Iterator[Finding]:
    """Give a check's findings; an error of ours that ends it is one more."""
    try:
        yield from check
    except BankloomError as error:
        yield failed(name, error)

"""One piece of a turn's work: what fails is put off, and keeps no other from being done."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bankloom.core.errors import BankloomError, PlaidUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


def do_or_put_off(name: str, work: Callable[[], object], put_off: Callable[[str], None]) -> bool:
    """Do the work, or put it off, with the reason; say whether Plaid answered.

    Where it did not, the rest of the turn would only wait for the next silence.
    """
    try:
        work()
    except BankloomError as error:
        log.warning("%s is tried again: %s", name, error.message)
        put_off(error.message)
        return not isinstance(error, PlaidUnreachableError)
    except Exception as error:  # whatever it was: the others must not wait for its cure
        log.exception("%s is tried again", name)
        put_off(f"failed in an unexpected way ({type(error).__name__})")
    return True

"""The secret that Plaid is shown: replaced while calls go on, and renewed where Plaid refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bankloom.core.errors import PlaidRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

STALE = "INVALID_API_KEYS"
_NAME = "secret"


class PlaidSecret:
    """The secret among the keys of plaid-python's configuration, which reads them at each call.

    Safe to share between threads: it is replaced as a whole.
    """

    def __init__(self, keys: dict[str, str]) -> None:
        self._keys = keys
        self.renew: Callable[[], None] = _nobody_renews
        """Looks for a new secret after Plaid has refused this one; waits for it only so long."""

    @property
    def shown(self) -> str:
        """What Plaid is shown by the next call."""
        return self._keys[_NAME]

    def replace(self, secret: str) -> None:
        """Show this one from the next call on."""
        self._keys[_NAME] = secret

    def guard(self, call: Callable[[], Answer]) -> Answer:
        """Make a call, and once more where the secret it showed was refused and is another by now.

        Plaid looks at the keys before all else, so a call that was refused for them had no effect.
        """
        shown = self.shown
        try:
            return call()
        except PlaidRefusedError as refused:
            if refused.error_code != STALE or not self._is_renewed(shown):
                raise
        return call()

    def _is_renewed(self, refused: str) -> bool:
        if self.shown == refused:
            self.renew()
        return self.shown != refused


def _nobody_renews() -> None:
    """Do nothing: a command has read its settings just now."""

"""A deadline that moves on while the server's log shows that it is at work."""

import logging
import time
from pathlib import Path

from bankloom.core.embedded_postgres.errors import StartFailedError

POLL_S = 0.01
SLOW_POLL_S = 0.1  # after the first second nobody notices, and asking is not free
QUIET_S = 60.0  # a server in recovery writes to its log every 10 s, so this much silence is an end
TOTAL_S = 1800.0  # replaying the largest log we let grow takes minutes, not half an hour

_log = logging.getLogger(__name__)


class Patience:
    """Waits in small steps; gives up after `quiet_s` without a new line in the server's log."""

    def __init__(self, log_path: Path, *, quiet_s: float = QUIET_S) -> None:
        self._log_path = log_path
        self._quiet_s = quiet_s
        self._began = self._moved = time.monotonic()
        self._size_bytes = self._read_size()
        self._told = False

    def wait(self, reason: str) -> None:
        """Sleep one step. Raises StartFailedError, with `reason`, once patience is at its end."""
        now = time.monotonic()
        if (size_bytes := self._read_size()) != self._size_bytes:
            self._size_bytes, self._moved = size_bytes, now
        if now - self._moved > self._quiet_s or now - self._began > TOTAL_S:
            waited_s = round(now - self._began)
            raise StartFailedError(
                f"Gave up on the embedded PostgreSQL after {waited_s} s: {reason}. "
                f"Its log is {self._log_path}."
            )
        self._tell(now, reason)
        time.sleep(POLL_S if now - self._began < 1 else SLOW_POLL_S)

    def _tell(self, now: float, reason: str) -> None:
        if now - self._began > self._quiet_s and not self._told:
            self._told = True
            _log.warning("still waiting for the embedded PostgreSQL: %s", reason)

    def _read_size(self) -> int:
        try:
            return self._log_path.stat().st_size
        except FileNotFoundError:
            return -1

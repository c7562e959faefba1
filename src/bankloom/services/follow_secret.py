"""Follows PLAID_SECRET while the process runs: a new one is taken from its source without a restart.

Files are looked at every few seconds. Every source is asked again every
`BANKLOOM_SECRETS_CHECK_SECONDS`, and at once where Plaid refuses the secret. No other setting is
taken.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from bankloom.core import logs, secrets
from bankloom.core.errors import ConfigurationError
from bankloom.core.settings import Settings
from bankloom.services.plaid_client import world_of

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bankloom.core.secrets import Secrets, SecretSources
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
RENEW_SECONDS_MAX = 4.0
"""How long a refused call waits for a new secret: Plaid itself gives up on a webhook after 10 s."""

RENEW_PAUSE_SECONDS = 10.0
"""How long after a refusal has made us ask the sources no other one does: each costs a call."""

LEAVE_SECONDS = 2.0


def now(runtime: Runtime) -> None:
    """Ask the sources again, and show Plaid another secret if they have one.

    Where they fail, or name another world, what is in use stays, and the log says so.
    """
    try:
        fresh = Settings.read()
    except ConfigurationError as error:
        log.warning("PLAID_SECRET can't be read anew, and the one in use stays: %s", error.message)
        return
    logs.hide(fresh.secret_texts)
    secret, world = fresh.plaid.secret.get_secret_value(), world_of(fresh.plaid)
    if world != runtime.plaid.world:
        log.error(
            "The settings name %s now, and this process works for %s: restart it to change that. "
            "Until then it keeps the PLAID_SECRET that it has.",
            world,
            runtime.plaid.world,
        )
    elif not secret:
        log.warning("PLAID_SECRET is in none of its sources any more; the one in use stays")
    elif secret != runtime.plaid.secret.shown:
        runtime.plaid.secret.replace(secret)
        log.info("A new PLAID_SECRET is in use, from: %s", fresh.sources()["PLAID_SECRET"])


class SecretFollower:
    """A thread that follows the secret of a process whose settings were read; a context manager."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._turn = threading.Condition()
        self._is_wanted = self._is_leaving = False
        self._renewal_at = 0.0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        found = self._runtime.settings.secrets_found
        if found is not None:
            self._thread = threading.Thread(
                target=self._follow, args=[found], name="secret", daemon=True
            )
            self._thread.start()
            self._runtime.plaid.secret.renew = self._renew
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._turn:
            self._is_leaving = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(LEAVE_SECONDS)

    def _renew(self) -> None:
        """Have the sources asked at once, unless a refusal did so just now; wait for what they say."""
        with self._turn:
            at = time.monotonic()
            if at >= self._renewal_at:
                self._renewal_at = at + RENEW_PAUSE_SECONDS
                self._is_wanted = True
                self._turn.notify_all()
            self._turn.wait_for(lambda: not self._is_wanted or self._is_leaving, RENEW_SECONDS_MAX)

    def _follow(self, found: Secrets) -> None:
        sources, marks = found.sources, found.file_marks
        due_at = self._next_due(sources)
        while not self._is_leaving:
            wanted = self._wait()
            seen = secrets.file_marks(sources)
            if wanted or seen != marks or time.monotonic() >= due_at:
                self._ask()
                marks, due_at = seen, self._next_due(sources)
            if wanted:
                with self._turn:
                    self._is_wanted = False
                    self._turn.notify_all()

    def _wait(self) -> bool:
        """Wait for the next look; say whether a refused call waits for what comes of it."""
        with self._turn:
            self._turn.wait_for(lambda: self._is_wanted or self._is_leaving, LOOK_SECONDS)
            return self._is_wanted

    def _next_due(self, sources: SecretSources) -> float:
        return time.monotonic() + sources.secrets_check_seconds

    def _ask(self) -> None:
        try:
            now(self._runtime)
        except (
            Exception
        ):  # this thread lives as long as the process, whatever happens to the sources
            log.exception("PLAID_SECRET can't be read anew, and the one in use stays")

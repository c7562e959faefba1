"""The opened parts, for a command that works on them itself: alone, or beside a running service."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import InterfaceError, OperationalError

from bankloom.cli import acting, signals
from bankloom.core import logs
from bankloom.core.errors import DatabaseLostError
from bankloom.core.settings import Settings
from bankloom.opening import open_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime


@contextmanager
def opened() -> Iterator[Runtime]:
    """Give the parts, and close them whatever happens. Errors: `BankloomError`."""
    signals.end_in_order()  # SIGTERM too must leave the embedded server in order
    settings = Settings.read()
    logs.configure("warning", settings.log_format, settings.secret_texts)
    with closing(open_runtime(settings)) as runtime:
        try:
            yield runtime.acting_for(acting.actor())
        except (OperationalError, InterfaceError) as error:
            raise DatabaseLostError("The database went away. Look at it, and try again.") from error

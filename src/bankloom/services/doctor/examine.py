"""Examines everything, from what needs nothing to what needs the rest; gives findings as they come."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from bankloom.core.errors import BankloomError
from bankloom.core.settings import Settings
from bankloom.services.doctor import database, machine, plaid, webhooks
from bankloom.services.doctor.findings import Finding, failed, guarded, warning
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from bankloom.core.db import Database

    Prepare = Callable[[Database], AbstractContextManager[Session]]


def now(look_at_schema: Prepare) -> Iterator[Finding]:
    """Look at everything; `look_at_schema` gives a session, or refuses a schema that is not current.

    Nothing is changed: what is not there yet is not made.
    """
    try:
        settings = Settings.read()
    except BankloomError as error:
        yield failed("settings", error)
        return
    yield from of(settings, look_at_schema)


def of(settings: Settings, look_at_schema: Prepare) -> Iterator[Finding]:
    """Look at everything that these settings name."""
    yield from guarded("settings", machine.look(settings))
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        yield warning(
            "database",
            f"There is no database yet in {settings.data_dir}",
            "The first start of `bankloom serve` makes it; the rest can be looked at then.",
        )
        return
    yield from guarded("database", _with_parts(settings, look_at_schema))


def _with_parts(settings: Settings, look_at_schema: Prepare) -> Iterator[Finding]:
    with closing(Runtime.open(settings, look_at_schema)) as runtime:
        yield from guarded("database", database.look(runtime))
        yield from guarded("Plaid", plaid.look(runtime))
        yield from guarded("webhooks", webhooks.look(runtime))

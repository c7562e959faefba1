"""Examines everything, from what needs nothing to what needs the rest; gives findings as they come."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from bankloom.core.db import Database
from bankloom.core.embedded_postgres import home
from bankloom.services import second_wall
from bankloom.services.doctor import database, machine, plaid, webhooks
from bankloom.services.doctor.findings import Finding, failure, guarded, warning
from bankloom.services.keyrings import open_keyring
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bankloom.core.settings import Settings

    Prepare = Callable[[Database], AbstractContextManager[Session]]


def now(settings: Settings, look_at_schema: Prepare) -> Iterator[Finding]:
    """Look at everything that these settings name.

    `look_at_schema` gives a session, or refuses a schema that is not current. Nothing is repaired,
    and what is not there yet, database or keyring, is not made.
    """
    yield from guarded("settings", machine.look(settings))
    if settings.database_url is None and not _has_cluster(settings.data_dir / "postgres"):
        yield warning(
            "database",
            f"There is no database yet in {settings.data_dir}",
            "The first start of `bankloom serve` makes it; the rest can be looked at then.",
        )
        return
    file = open_keyring.file_of(settings)
    if file and not file.path.exists():
        yield from guarded("keys", _without_keyring(settings, look_at_schema))
        return
    yield from guarded("database", _with_parts(settings, look_at_schema))


def _has_cluster(folder: Path) -> bool:
    return folder.is_dir() and home.has_cluster(folder)


def _without_keyring(settings: Settings, look_at_schema: Prepare) -> Iterator[Finding]:
    with closing(Database.open(settings)) as opened, look_at_schema(opened) as session:
        if not open_keyring.samples(session):
            return  # a start makes it, as `machine` has said
    yield failure(
        "keys",
        "Something is sealed in the database, and there is no keyring to open it",
        "Bring the keyring back from your copy, as that file or as BANKLOOM_ENCRYPTION_KEYS.",
    )


def _with_parts(settings: Settings, look_at_schema: Prepare) -> Iterator[Finding]:
    with closing(Runtime.open(settings, look_at_schema, second_wall.look)) as runtime:
        yield from guarded("database", database.look(runtime))
        yield from guarded("Plaid", plaid.look(runtime))
        yield from guarded("webhooks", webhooks.look(runtime))

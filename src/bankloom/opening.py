"""Opens the parts of a process over a database that is brought up to date; needs no web framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bankloom import migrations
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from bankloom.core.settings import Settings


def open_runtime(settings: Settings) -> Runtime:
    """Open the parts and bring the database to the current schema. Errors: `BankloomError`."""
    settings.plaid.require_credentials()
    return Runtime.open(settings, migrations.upgraded)

"""Who acts at the command line, and notes of what is done without opened parts."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import typer
from sqlalchemy.exc import DBAPIError

from bankloom import migrations
from bankloom.core.errors import ConfigurationError
from bankloom.services import audit
from bankloom.services.keyrings.open_keyring import file_of, open_keyring

if TYPE_CHECKING:
    from bankloom.core.db import Database
    from bankloom.core.settings import Settings


def actor() -> str:
    """Return the actor of a command: the account that it runs under."""
    try:
        return f"command line ({getpass.getuser()})"
    except (OSError, KeyError):  # an account without a name, as in many containers
        return "command line"


def note(settings: Settings, database: Database, action: audit.Action, **facts: Any) -> None:
    """Note what a command does to the database as a whole; where it can't be, say so.

    A backup must be possible without the keyring, and of a database that an older version left.
    """
    try:
        migrations.require_current(database)
        _require_keyring(settings)
        with database.session() as session:
            keyring = open_keyring(settings, session)
            audit.write(keyring, session, actor(), action, facts=facts)
    except ConfigurationError as error:
        typer.echo(f"This is not noted in the audit log. {error.message}", err=True)
    except DBAPIError as error:
        typer.echo(f"This is not noted in the audit log: {error.orig}", err=True)


def _require_keyring(settings: Settings) -> None:
    """Refuse where the keyring would have to be made: that is for who seals something."""
    file = file_of(settings)
    if file and not file.path.exists():
        raise ConfigurationError("The keyring, which proves its entries, is not here.")
